//! Settings, what was looked at on this machine, and what Lull is made of.

use super::entries;

entries! {
    // The page
    settings_lending { en: "Right now", de: "Im Moment" }
    settings_managed_policy { en: "Managed by {org} in its signed policy", de: "Verwaltet von {org} in den signierten Regeln" }
    settings_managed_file {
        en: "Managed by {org} in this computer’s file",
        de: "Verwaltet von {org} in der Datei dieses Computers"
    }
    settings_pause_text {
        en: "A pause outlives a restart. No rule can take it away.",
        de: "Eine Pause überlebt den Neustart. Keine Regel kann sie nehmen."
    }
    settings_pause_state { en: "Paused {until}", de: "Pausiert {until}" }
    settings_look { en: "Appearance", de: "Darstellung" }
    settings_theme { en: "Theme", de: "Farben" }
    theme_system { en: "System", de: "System" }
    theme_light { en: "Light", de: "Hell" }
    theme_dark { en: "Dark", de: "Dunkel" }
    settings_lang { en: "Language", de: "Sprache" }
    settings_price { en: "Price of electricity", de: "Strompreis" }
    settings_price_text {
        en: "Per kWh, in your currency. Only used to show an estimated cost on Home.",
        de: "Je kWh, in Ihrer Währung. Nur für die geschätzten Kosten in der Übersicht."
    }
    settings_price_wrong { en: "Enter a number, such as 0.32.", de: "Geben Sie eine Zahl ein, etwa 0,32." }
    settings_jump { en: "What your organisation decided", de: "Was Ihre Organisation festgelegt hat" }
    settings_jump_none {
        en: "Your organisation has decided nothing for this computer: every rule here is up to you.",
        de: "Ihre Organisation hat für diesen Computer nichts festgelegt: Über jede Regel hier entscheiden Sie."
    }
    settings_jump_some {
        en: "These rules are held where they are. A pause is always up to you.",
        de: "Diese Regeln sind festgehalten. Pausieren können Sie immer."
    }
    settings_broken {
        en: "The settings cannot be followed, so nothing is lent",
        de: "Die Einstellungen sind nicht befolgbar, darum wird nichts verliehen"
    }
    settings_broken_way {
        en: "Correct `{file}`. It counts within two seconds, and this page notices by itself.",
        de: "Korrigieren Sie `{file}`. Das gilt nach zwei Sekunden, und diese Seite merkt es von selbst."
    }
    settings_broken_way_org {
        en: "Only whoever administers this computer can correct `{file}`: tell them what stands here. It counts within two seconds after that.",
        de: "Nur wer diesen Computer verwaltet, kann `{file}` korrigieren: Geben Sie weiter, was hier steht. Danach gilt es nach zwei Sekunden."
    }
    settings_files { en: "Files", de: "Dateien" }
    settings_file { en: "Yours", de: "Ihre" }
    settings_file_org { en: "Your organisation’s", de: "Die Ihrer Organisation" }
    settings_reset { en: "Reset {name} to the default", de: "{name} auf die Vorgabe zurücksetzen" }
    settings_reset_short { en: "Reset", de: "Zurücksetzen" }
    settings_range { en: "{min} to {max}", de: "{min} bis {max}" }
    settings_out_of_range {
        en: "Enter a number from {min} to {max}.",
        de: "Geben Sie eine Zahl von {min} bis {max} ein."
    }
    hours_hint {
        en: "Such as `Mon-Fri 18:00-08:00`, `Sat-Sun` or `22:00-06:30`. No line: always.",
        de: "Zum Beispiel `Mon-Fri 18:00-08:00`, `Sat-Sun` oder `22:00-06:30`. Keine Zeile: immer."
    }
    hours_add { en: "Add hours", de: "Zeiten hinzufügen" }
    hours_field { en: "Hours {n}", de: "Zeiten {n}" }
    list_keep { en: "Keep", de: "Übernehmen" }
    names_add { en: "Add a program", de: "Programm hinzufügen" }
    names_field { en: "Name of a program", de: "Name eines Programms" }
    named_remove { en: "Remove {name}", de: "{name} entfernen" }
    settings_app { en: "The app", de: "Die App" }
    settings_autostart { en: "Start Lull when I log in", de: "Lull beim Anmelden starten" }
    settings_autostart_text {
        en: "It sits in the tray. Off: it runs only when you open it.",
        de: "Es sitzt in der Leiste. Aus: Es läuft nur, wenn Sie es öffnen."
    }
    unit_minutes { en: "minutes", de: "Minuten" }
    unit_celsius { en: "°C", de: "°C" }
    unit_cores { en: "cores", de: "Kerne" }
    unit_threads { en: "threads", de: "Threads" }
    unit_percent { en: "%", de: "%" }
    unit_gibibytes { en: "GiB", de: "GiB" }
    unit_watts { en: "W", de: "W" }

    // Health
    doctor_lead {
        en: "Everything that keeps this computer from lending and asking well.",
        de: "Alles, was diesen Computer hindert, gut zu verleihen und zu fragen."
    }
    doctor_good { en: "Everything is in order", de: "Alles ist in Ordnung" }
    doctor_attention_one { en: "{n} thing could be better", de: "{n} Punkt könnte besser sein" }
    doctor_attention_many { en: "{n} things could be better", de: "{n} Punkte könnten besser sein" }
    doctor_broken_one { en: "{n} thing does not work", de: "{n} Punkt funktioniert nicht" }
    doctor_broken_many { en: "{n} things do not work", de: "{n} Punkte funktionieren nicht" }
    doctor_again { en: "Look again", de: "Noch einmal prüfen" }
    doctor_looking { en: "Looking", de: "Wird geprüft" }
    doctor_save { en: "Download diagnostics", de: "Diagnose herunterladen" }
    doctor_save_text {
        en: "For someone who is to help you: versions, states and codes. No questions, no answers, no names of \
             people.",
        de: "Für jemanden, der Ihnen helfen soll: Versionen, Zustände und Codes. Keine Fragen, keine Antworten, \
             keine Namen von Personen."
    }
    doctor_looked { en: "Looked at {moment}", de: "Geprüft {moment}" }
    health_good { en: "In order", de: "In Ordnung" }
    health_attention { en: "Could be better", de: "Könnte besser sein" }
    health_broken { en: "Does not work", de: "Funktioniert nicht" }
    check_relay { en: "Relay", de: "Relay" }
    check_certificate { en: "Certificate", de: "Zertifikat" }
    check_rules { en: "Rules", de: "Regeln" }
    check_policy { en: "Organisation’s rules", de: "Regeln der Organisation" }
    check_sensors { en: "Sensors", de: "Sensoren" }
    check_sandbox { en: "Sandbox", de: "Sandbox" }
    check_layer { en: "Sandbox layer", de: "Schicht der Sandbox" }
    check_worker { en: "Worker", de: "Worker" }
    check_model { en: "Model", de: "Modell" }
    check_models { en: "Models", de: "Modelle" }
    check_disk { en: "Disk", de: "Festplatte" }
    check_dumps { en: "Memory dumps", de: "Speicherabbilder" }
    check_swap { en: "Swap", de: "Auslagerung" }
    check_node { en: "Background part", de: "Hintergrunddienst" }
    check_enrolled { en: "Organisation", de: "Organisation" }
    check_freeze { en: "Giving back", de: "Zurückgeben" }
    check_lending { en: "Lending", de: "Verleihen" }
    check_api { en: "Local API", de: "Lokale API" }
    check_clock { en: "Clock", de: "Uhr" }

    // About
    about_lead {
        en: "Your organisation's computers, at rest, thinking for each other.",
        de: "Die Computer Ihrer Organisation denken füreinander, wenn sie ruhen."
    }
    about_version { en: "Version", de: "Version" }
    about_machine { en: "This computer", de: "Dieser Computer" }
    about_name { en: "Name", de: "Name" }
    about_node { en: "Node", de: "Node" }
    about_org { en: "Organisation", de: "Organisation" }
    about_certificate { en: "Certificate valid until", de: "Zertifikat gültig bis" }
    about_asked { en: "Asked since the start", de: "Gefragt seit dem Start" }
    about_lent { en: "Answered since the start", de: "Beantwortet seit dem Start" }
    about_licence { en: "Licence", de: "Lizenz" }
    about_licence_text {
        en: "Lull is free software: MIT or Apache 2.0, as you prefer.",
        de: "Lull ist freie Software: MIT oder Apache 2.0, ganz wie Sie möchten."
    }
    about_parts { en: "Made with", de: "Gebaut mit" }
    about_copy { en: "Copy these details", de: "Diese Angaben kopieren" }
    about_licences { en: "Licences of what Lull contains", de: "Lizenzen der Bestandteile" }
    about_licences_show { en: "Show all licences", de: "Alle Lizenzen zeigen" }
    about_diagnostics { en: "Diagnostics", de: "Diagnose" }
}
