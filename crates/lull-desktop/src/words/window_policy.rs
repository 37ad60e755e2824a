//! What only the organisation decides: each rule's title and what it does.

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
}
