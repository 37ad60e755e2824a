import { type Label, type LabelView, LABELS, type RulesView } from "./door";
import { labelName } from "./format";
import { brokenBy } from "./rules";
import { t } from "./words";

/** Names as a sentence has them; none of them is nobody. */
const list = (names: readonly string[]) => names.join(", ") || t("value_nobody");

/** A label to choose, and why it cannot be sent from here; empty where it can. */
export type Sendable = { label: Label; name: string; off: string };

/** Every label that there is. Before the node has said which, those that every organisation has. */
export function sendable(rules: RulesView | undefined): Sendable[] {
  if (!rules?.labels.length) return LABELS.map((label) => ({ label, name: labelName(label), off: "" }));
  const unfollowed = brokenBy(rules) === "policy";
  return rules.labels.map((view) => ({
    label: view.label,
    name: labelName(view.label),
    off: unfollowed && view.label !== "public" ? t("labels_not_public") : whyNotSent(view),
  }));
}

/** Why it cannot be sent from here; empty where it can. */
export function whyNotSent({ may_send, askers }: LabelView): string {
  return may_send ? "" : t("labels_not_askers", { groups: list(askers ?? []) });
}

/** Why it does not run here. The node names the rule at the end of its sentence; another one is said as it says it. */
export function whyNotHere({ why, lenders, sites, tier }: LabelView): string {
  switch (/\(rule labels\.[^.]+\.(\w+)\)$/.exec(why)?.[1]) {
    case "lenders":
      return t("labels_not_lenders", { groups: list(lenders ?? []) });
    case "sites":
      return t("labels_not_sites", { sites: list(sites ?? []) });
    case "tier":
      return t("labels_not_tier", { tier: t(`tier_${tier ?? "basic"}`) });
    case "dedicated":
      return t("labels_not_dedicated");
    default:
      return why;
  }
}

/** What a label asks of whom, as terms and what they say. */
export function termsOf({ askers, lenders, sites, tier, dedicated }: LabelView, org: string): [term: string, says: string][] {
  const computers = lenders ? t("labels_of", { groups: list(lenders) }) : t("labels_all");
  return [
    [t("labels_askers"), askers ? t("labels_members", { groups: list(askers) }) : t("labels_everybody", { org })],
    [t("labels_lenders"), dedicated ? t("labels_dedicated", { computers }) : computers],
    [t("labels_sites"), sites ? t("labels_at", { sites: list(sites) }) : t("labels_anywhere")],
    [t("labels_tier"), tier ? t("labels_tier_least", { tier: t(`tier_${tier}`) }) : t("labels_tier_any")],
  ];
}
