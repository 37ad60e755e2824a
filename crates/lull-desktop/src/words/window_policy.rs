//! The organisation's rules: what only it decides, its signed policy, and what each label means on this computer.

use super::entries;

entries! {
    org_label { en: "A label of your own", de: "Ein eigenes Label" }
    org_label_help {
        en: "Your organisation has this label beside those that Lull brings along.",
        de: "Ihre Organisation hat dieses Label neben denen, die Lull mitbringt."
    }
    org_label_lenders { en: "Machines that may see it", de: "Computer, die es sehen dürfen" }
    org_label_lenders_help {
        en: "Jobs with this label run only on machines of these groups.",
        de: "Aufgaben mit diesem Label laufen nur auf Computern dieser Gruppen."
    }
    org_label_askers { en: "People who may send it", de: "Wer es senden darf" }
    org_label_askers_help {
        en: "Only members of these groups may use this label.",
        de: "Nur Mitglieder dieser Gruppen dürfen dieses Label verwenden."
    }
    org_label_sites { en: "Where it may run", de: "Wo es laufen darf" }
    org_label_sites_help {
        en: "Jobs with this label run only on machines that are at one of these sites, and at no other.",
        de: "Aufgaben mit diesem Label laufen nur auf Computern, die an einem dieser Standorte stehen, und an keinem \
            anderen."
    }
    org_label_tier { en: "How well models must be locked in for it", de: "Wie gut Modelle dafür eingesperrt sein müssen" }
    org_label_tier_help {
        en: "Machines whose sandbox is weaker never get jobs with this label.",
        de: "Computer mit einer schwächeren Sandbox bekommen nie Aufgaben mit diesem Label."
    }
    org_label_dedicated { en: "Only machines nobody sits at", de: "Nur Computer, an denen niemand sitzt" }
    org_label_dedicated_help {
        en: "Jobs with this label run only on machines that were set up for lending alone.",
        de: "Aufgaben mit diesem Label laufen nur auf Computern, die allein zum Verleihen da sind."
    }
    org_site { en: "Site", de: "Standort" }
    org_site_help {
        en: "Machines of these groups are at this site. A machine that could be at two sites is at none.",
        de: "Computer dieser Gruppen stehen an diesem Standort. Ein Computer, der an zweien stehen könnte, steht an keinem."
    }
    org_models_allow { en: "Models that may be used", de: "Erlaubte Modelle" }
    org_models_allow_help {
        en: "Only these models run, and only these can be asked. Without this rule all may.",
        de: "Nur diese Modelle laufen, und nur diese kann man fragen. Ohne diese Regel alle."
    }
    org_models_bytes { en: "Exact files of a model", de: "Genaue Dateien eines Modells" }
    org_models_bytes_help {
        en: "This name stands for files with this hash, and for no others.",
        de: "Dieser Name steht für Dateien mit diesem Hash und für keine anderen."
    }
    org_use { en: "People who may use the pool", de: "Wer den Pool nutzen darf" }
    org_use_help {
        en: "Only members of these groups may ask anything.",
        de: "Nur Mitglieder dieser Gruppen dürfen etwas fragen."
    }
    org_quota { en: "Quota", de: "Kontingent" }
    org_quota_help {
        en: "So many tokens, of prompts and answers together, may be used in a day (UTC).",
        de: "So viele Tokens, aus Fragen und Antworten zusammen, dürfen an einem Tag (UTC) verbraucht werden."
    }
    org_login_issuer { en: "Sign-in provider", de: "Anmeldedienst" }
    org_login_issuer_help {
        en: "Where people sign in to say who they are (OpenID Connect).",
        de: "Wo sich Menschen anmelden, um zu sagen, wer sie sind (OpenID Connect)."
    }
    org_login_client { en: "Lull's name at the provider", de: "Lulls Name beim Anmeldedienst" }
    org_login_client_help {
        en: "The client id under which the sign-in provider knows Lull.",
        de: "Die Client-ID, unter der der Anmeldedienst Lull kennt."
    }
    org_login_groups { en: "Claim with the groups", de: "Angabe mit den Gruppen" }
    org_login_groups_help {
        en: "The field of a sign-in that lists a person's groups.",
        de: "Das Feld einer Anmeldung, das die Gruppen eines Menschen nennt."
    }
    org_login_user { en: "Claim with the name", de: "Angabe mit dem Namen" }
    org_login_user_help {
        en: "The field of a sign-in that says who a person is.",
        de: "Das Feld einer Anmeldung, das sagt, wer ein Mensch ist."
    }
    org_login_scopes { en: "Asked of the provider", de: "Was vom Anmeldedienst erbeten wird" }
    org_login_scopes_help {
        en: "The scopes of a sign-in; some providers tell a person's groups only when asked for them.",
        de: "Die Scopes einer Anmeldung; manche Dienste nennen die Gruppen eines Menschen nur, wenn man darum bittet."
    }
    org_login_required { en: "Sign-in needed to ask", de: "Fragen nur nach Anmeldung" }
    org_login_required_help {
        en: "Nobody asks the pool who has not signed in.",
        de: "Niemand fragt den Pool, der sich nicht angemeldet hat."
    }
    org_checks_by { en: "Machines that check others", de: "Computer, die andere prüfen" }
    org_checks_by_help {
        en: "The machines with these ids ask others questions whose answers they compute themselves.",
        de: "Die Computer mit diesen Kennungen stellen anderen Fragen, deren Antworten sie selbst nachrechnen."
    }
    org_checks_share { en: "Checks for a thousand jobs", de: "Prüfungen auf tausend Aufgaben" }
    org_checks_share_help {
        en: "How often a machine that lends is checked, for each thousand jobs it has done.",
        de: "Wie oft ein Computer, der verliehen wird, geprüft wird, auf je tausend erledigte Aufgaben."
    }
    org_checks_pace { en: "Checks an hour", de: "Prüfungen in der Stunde" }
    org_checks_pace_help {
        en: "The most checks in an hour, over all machines together.",
        de: "So viele Prüfungen gibt es in einer Stunde höchstens, über alle Computer zusammen."
    }

    // The signed policy
    policy_none { en: "Your organisation has signed no rules.", de: "Ihre Organisation hat keine Regeln signiert." }
    policy_signed { en: "Signed policy", de: "Signierte Regeln" }
    policy_version { en: "Version {version}", de: "Version {version}" }
    policy_issued { en: "Signed", de: "Signiert" }
    policy_until { en: "Counts until", de: "Gelten bis" }
    policy_ends_one {
        en: "It ends in less than {n} day. Nothing is lent after that until your organisation signs a newer one: tell IT.",
        de: "Sie enden in weniger als {n} Tag. Danach wird nichts verliehen, bis Ihre Organisation neue signiert: Sagen \
             Sie es der IT."
    }
    policy_ends_many {
        en: "It ends in {n} days. Nothing is lent after that until your organisation signs a newer one: tell IT.",
        de: "Sie enden in {n} Tagen. Danach wird nichts verliehen, bis Ihre Organisation neue signiert: Sagen Sie es der \
             IT."
    }
    policy_last {
        en: "These are the last rules that could be followed. The top of this page says why they cannot be now.",
        de: "Das sind die letzten Regeln, die befolgbar waren. Oben auf dieser Seite steht, warum sie es jetzt nicht sind."
    }
    policy_broken {
        en: "Your organisation’s rules cannot be followed, so nothing is lent",
        de: "Die Regeln Ihrer Organisation sind nicht befolgbar, darum wird nichts verliehen"
    }
    policy_broken_way {
        en: "Only IT can mend this, by pushing the policy again: tell them what stands here. It comes by itself once the relay can be reached. Until then only questions labelled {label} are sent.",
        de: "Nur die IT kann das beheben, indem sie die Regeln noch einmal verteilt: Geben Sie weiter, was hier steht. Sie kommen von selbst, sobald das Relay erreichbar ist. Bis dahin werden nur Fragen mit dem Label {label} gesendet."
    }
    whose_policy { en: "In the signed policy", de: "In den signierten Regeln" }
    whose_file { en: "In this computer’s file", de: "In der Datei dieses Computers" }
    rule_named { en: "{title}: {name}", de: "{title}: {name}" }
    value_nobody { en: "Nobody", de: "Niemand" }
    quota_tokens { en: "{n} tokens a day for {who}", de: "{n} Tokens am Tag für {who}" }
    quota_model { en: "{quota}, only with {model}", de: "{quota}, nur mit {model}" }
    quota_each { en: "each person", de: "jede Person" }
    quota_all { en: "all together", de: "alle zusammen" }
    quota_each_group { en: "each member of {group}", de: "jedes Mitglied von {group}" }
    quota_all_group { en: "all of {group} together", de: "alle aus {group} zusammen" }

    // Labels
    labels_title { en: "Labels and who may see what", de: "Labels und wer was sehen darf" }
    labels_text {
        en: "A label says how guarded a question is. What each one means is your organisation’s word, and this computer looks at it for every job.",
        de: "Ein Label sagt, wie vertraulich eine Frage ist. Was jedes bedeutet, legt Ihre Organisation fest, und dieser Computer prüft es bei jeder Aufgabe."
    }
    labels_run { en: "Runs on this computer", de: "Läuft auf diesem Computer" }
    labels_not { en: "Does not run on this computer", de: "Läuft nicht auf diesem Computer" }
    labels_send { en: "Can be sent from here", de: "Kann von hier gesendet werden" }
    labels_send_not { en: "Cannot be sent from here", de: "Kann von hier nicht gesendet werden" }
    labels_not_broken {
        en: "Nothing runs here before the rules can be followed.",
        de: "Hier läuft nichts, bevor die Regeln befolgbar sind."
    }
    labels_not_lenders {
        en: "It runs only on computers of {groups}, and this one is of none of them.",
        de: "Es läuft nur auf Computern von {groups}, und dieser gehört zu keiner davon."
    }
    labels_not_sites {
        en: "It runs only at {sites}, and this computer is not known to be there.",
        de: "Es läuft nur am Standort {sites}, und dass dieser Computer dort steht, ist nicht bekannt."
    }
    labels_not_tier {
        en: "It needs a sandbox of tier {tier}, and this computer has less.",
        de: "Es braucht eine Sandbox der Stufe {tier}, und dieser Computer hat weniger."
    }
    labels_not_dedicated {
        en: "It runs only on computers nobody sits at.",
        de: "Es läuft nur auf Computern, an denen niemand sitzt."
    }
    labels_not_askers { en: "Only members of {groups} may send it.", de: "Nur Mitglieder von {groups} dürfen es senden." }
    labels_not_public {
        en: "Not before your organisation’s rules can be followed.",
        de: "Erst wenn die Regeln Ihrer Organisation befolgbar sind."
    }
    labels_gone { en: "Your organisation has no such label any more.", de: "Dieses Label hat Ihre Organisation nicht mehr." }
    labels_askers { en: "Who may send it", de: "Wer es senden darf" }
    labels_lenders { en: "Computers that may see it", de: "Computer, die es sehen dürfen" }
    labels_sites { en: "Where", de: "Wo" }
    labels_tier { en: "Sandbox", de: "Sandbox" }
    labels_everybody { en: "Everybody in {org}", de: "Alle in {org}" }
    labels_members { en: "Members of {groups}", de: "Mitglieder von {groups}" }
    labels_all { en: "All", de: "Alle" }
    labels_of { en: "Those of {groups}", de: "Die von {groups}" }
    labels_dedicated { en: "{computers}, if nobody sits at them", de: "{computers}, wenn niemand daran sitzt" }
    labels_anywhere { en: "Anywhere", de: "Überall" }
    labels_at { en: "Only at {sites}", de: "Nur am Standort {sites}" }
    labels_tier_any { en: "As on each computer", de: "Wie auf jedem Computer" }
    labels_tier_least { en: "{tier} at least", de: "Mindestens {tier}" }
    chat_label_off {
        en: "A question labelled {label} cannot be sent from here. {why}",
        de: "Eine Frage mit dem Label {label} kann von hier nicht gesendet werden. {why}"
    }
}
