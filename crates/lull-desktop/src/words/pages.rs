//! The window's pages.

use super::messages;

messages! {
    gave_today { en: "Today", de: "Heute" }
    gave_week { en: "The last 7 days", de: "Die letzten 7 Tage" }
    gave_month { en: "The last 30 days", de: "Die letzten 30 Tage" }
    jobs_none { en: "no jobs", de: "keine Aufgaben" }
    jobs_one { en: "1 job", de: "1 Aufgabe" }
    jobs_many(number) { en: "{number} jobs", de: "{number} Aufgaben" }
    tokens(number) { en: "{number} tokens", de: "{number} Tokens" }
    gave_empty {
        en: "Nothing ran here yet. That is normal: somebody has to ask while you are away.",
        de: "Hier lief noch nichts. Das ist normal: Jemand muss fragen, während Sie weg sind."
    }
    gave_cut {
        en: "The log is longer than what was read, so the older days may be missing something.",
        de: "Das Protokoll ist länger als das Gelesene, bei älteren Tagen kann also etwas fehlen."
    }
    energy_formula {
        en: "seconds of the workers' processor time x watts per busy thread / 3600, watts \
             from the setting `lend.watts_per_thread` (estimated, not measured)",
        de: "Sekunden Prozessorzeit der Worker x Watt je beschäftigtem Thread / 3600, Watt \
             aus der Einstellung `lend.watts_per_thread` (geschätzt, nicht gemessen)"
    }

    place_here { en: "on this computer", de: "auf diesem Computer" }
    place_pool { en: "on other computers", de: "auf anderen Computern" }
    place_both { en: "here and on other computers", de: "hier und auf anderen Computern" }
    place_nowhere { en: "not available now", de: "gerade nicht verfügbar" }
    lenders_none { en: "no computer offers it now", de: "gerade bietet es kein Computer an" }
    lenders_one { en: "1 computer offers it now", de: "gerade bietet es 1 Computer an" }
    lenders_many(number) { en: "{number} computers offer it now", de: "gerade bieten es {number} Computer an" }
    context(number) { en: "remembers {number} tokens", de: "überblickt {number} Tokens" }
    speed(number) { en: "up to {number} tokens/s", de: "bis {number} Tokens/s" }
    models_empty {
        en: "No models yet. Your IT adds them, or you import a folder with `lull models add`.",
        de: "Noch keine Modelle. Ihre IT fügt sie hinzu, oder Sie importieren einen Ordner mit `lull models add`."
    }

    who_asks { en: "Who may ask", de: "Wer fragen darf" }
    who_asks_org(org) { en: "Members of {org}, and nobody else.", de: "Mitglieder von {org}, sonst niemand." }
    groups { en: "Groups of this computer", de: "Gruppen dieses Computers" }
    groups_none { en: "None", de: "Keine" }
    content { en: "What is kept of it", de: "Was davon bleibt" }
    content_words {
        en: "No question and no answer is written down here. Only the counts below are, and only you see them.",
        de: "Keine Frage und keine Antwort wird hier gespeichert. Nur die Zahlen unten, und nur Sie sehen sie."
    }
    seen_by { en: "Who can read a question", de: "Wer eine Frage lesen kann" }
    seen_by_words {
        en: "The asking computer and the one that answers. The relay in between cannot.",
        de: "Der fragende Computer und der, der antwortet. Das Relay dazwischen nicht."
    }
    sandbox { en: "How models are locked in", de: "Wie Modelle eingesperrt sind" }
    sandbox_full {
        en: "Fully: no network, no files, none of your data.",
        de: "Vollständig: kein Netz, keine Dateien, keine Ihrer Daten."
    }
    sandbox_basic {
        en: "With filters: no files and none of your data; this system allows no rooms of their own.",
        de: "Mit Filtern: keine Dateien und keine Ihrer Daten; eigene Räume erlaubt dieses System nicht."
    }
    sandbox_none { en: "Not well enough, or not known.", de: "Nicht gut genug, oder nicht bekannt." }
    sandbox_required(tier) { en: "Needed at least: {tier}", de: "Mindestens nötig: {tier}" }
    ran_empty { en: "Nothing ran here yet.", de: "Hier lief noch nichts." }
    outcome_completed { en: "finished", de: "fertig" }
    outcome_cancelled { en: "cancelled by whoever asked", de: "vom Fragenden abgebrochen" }
    outcome_yielding { en: "stopped because you came back", de: "beendet, weil Sie zurück waren" }
    outcome_other(code) { en: "did not finish ({code})", de: "nicht fertig geworden ({code})" }

    connect_closed {
        en: "The local address is not open. Restart Lull; if that does not help, another program may use its port.",
        de: "Die lokale Adresse ist nicht offen. Starten Sie Lull neu; sonst belegt vielleicht ein Programm den Port."
    }
    connect_key {
        en: "Make a key with `lull key create NAME` and put it where YOUR_KEY stands.",
        de: "Erzeugen Sie einen Schlüssel mit `lull key create NAME` und setzen Sie ihn statt YOUR_KEY ein."
    }
    snippet_shell { en: "Environment variables", de: "Umgebungsvariablen" }
    snippet_curl { en: "curl", de: "curl" }
    snippet_python { en: "Python (openai)", de: "Python (openai)" }
    snippet_javascript { en: "JavaScript (openai)", de: "JavaScript (openai)" }

    about_version { en: "Version", de: "Version" }
    about_machine { en: "This computer", de: "Dieser Computer" }
    about_node { en: "Its number", de: "Seine Nummer" }
    about_org { en: "Organisation", de: "Organisation" }
    about_relay { en: "Relay", de: "Relay" }
    about_connected(relay) { en: "connected to {relay}", de: "verbunden mit {relay}" }
    about_not_connected(relay, why) { en: "not connected to {relay}: {why}", de: "nicht verbunden mit {relay}: {why}" }
    about_since_start { en: "Since the start", de: "Seit dem Start" }
    about_jobs(lent, asked) {
        en: "{lent} answered here, {asked} asked from here",
        de: "{lent} hier beantwortet, {asked} von hier gefragt"
    }
    about_licence { en: "Licence", de: "Lizenz" }
}
