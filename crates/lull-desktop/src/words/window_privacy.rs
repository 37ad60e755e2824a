//! Who sees what, and what is kept.

use super::entries;

entries! {
    privacy_lead {
        en: "Everything that this computer knows about what ran here, and about you.",
        de: "Alles, was dieser Computer darüber weiß, was hier lief, und über Sie."
    }
    privacy_ran { en: "What ran here", de: "Was hier lief" }
    privacy_ran_text {
        en: "No words and no names: neither is ever stored on a computer that lends.",
        de: "Keine Worte und keine Namen: Beides wird auf verliehenen Computern nie gespeichert."
    }
    privacy_ran_none {
        en: "Nothing has run here, or the record was erased.",
        de: "Hier lief nichts, oder das Protokoll wurde gelöscht."
    }
    privacy_ended { en: "Ended", de: "Beendet" }
    privacy_model { en: "Model", de: "Modell" }
    privacy_prompt { en: "Read", de: "Gelesen" }
    privacy_completion { en: "Written", de: "Geschrieben" }
    privacy_took { en: "Took", de: "Dauer" }
    privacy_energy { en: "Energy", de: "Energie" }
    privacy_outcome { en: "Outcome", de: "Ergebnis" }
    privacy_erase { en: "Erase", de: "Löschen" }
    privacy_erase_title { en: "Erase what ran here?", de: "Löschen, was hier lief?" }
    privacy_erase_text {
        en: "The record on this computer is deleted for good, and with it the figures on Home. It cannot be undone.",
        de: "Das Protokoll auf diesem Computer wird endgültig gelöscht und damit die Zahlen der Übersicht. Das lässt \
             sich nicht rückgängig machen."
    }
    privacy_erase_do { en: "Erase the record", de: "Protokoll löschen" }
    privacy_erased { en: "The record is erased.", de: "Das Protokoll ist gelöscht." }
    outcome_completed { en: "completed", de: "vollständig" }
    outcome_cancelled { en: "cancelled", de: "abgebrochen" }
    outcome_yielding { en: "given back to you", de: "an Sie zurückgegeben" }
    privacy_sandbox { en: "Sandbox", de: "Sandbox" }
    privacy_sandbox_text {
        en: "What stands between a model and this computer.",
        de: "Was zwischen einem Modell und diesem Computer steht."
    }
    tier_full { en: "Full", de: "Voll" }
    tier_basic { en: "Basic", de: "Einfach" }
    tier_none { en: "None", de: "Keine" }
    sandbox_layers { en: "{n} of {all} layers", de: "{n} von {all} Schichten" }
    sandbox_enough { en: "The rules ask for at least: {tier}.", de: "Die Regeln verlangen mindestens: {tier}." }
    sandbox_short {
        en: "The rules ask for {tier}, so no job runs here.",
        de: "Die Regeln verlangen: {tier}. Deshalb läuft hier nichts."
    }
    sandbox_missing { en: "Missing, and what to do", de: "Was fehlt und was zu tun ist" }
    sandbox_up { en: "in place", de: "vorhanden" }
    sandbox_not_up { en: "missing", de: "fehlt" }
    layer_limits { en: "Bounds on memory, files and dumps", de: "Grenzen für Speicher, Dateien und Abbilder" }
    layer_descriptors { en: "No environment, one pipe to its node", de: "Keine Umgebung, eine Leitung zum Node" }
    layer_no_new_privileges { en: "Nothing it starts gains rights", de: "Nichts, was es startet, gewinnt Rechte" }
    layer_no_dump { en: "Memory closed to other programs", de: "Speicher für andere Programme geschlossen" }
    layer_no_capabilities { en: "No administrator's powers", de: "Keine Verwalterrechte" }
    layer_own_root { en: "A root folder with only its model", de: "Ein Wurzelordner nur mit dem Modell" }
    layer_own_network { en: "A network without a way out", de: "Ein Netz ohne Ausgang" }
    layer_own_ipc { en: "Shared memory of its own", de: "Eigener gemeinsamer Speicher" }
    layer_files { en: "No file after loading", de: "Keine Datei nach dem Laden" }
    layer_ports { en: "No network port", de: "Kein Netzwerkport" }
    layer_scope { en: "No signal to other programs", de: "Kein Signal an andere Programme" }
    layer_load_filter { en: "Only harmless system calls while loading", de: "Beim Laden nur harmlose Systemaufrufe" }
    layer_run_filter { en: "Still fewer afterwards", de: "Danach noch weniger" }
    privacy_stored { en: "What is stored, and where", de: "Was wo gespeichert wird" }
    stored_what { en: "What", de: "Was" }
    stored_where { en: "Where", de: "Wo" }
    stored_chats { en: "Your conversations", de: "Ihre Gespräche" }
    stored_chats_where {
        en: "This window's own storage on this computer",
        de: "Im Speicher dieses Fensters auf diesem Computer"
    }
    stored_chats_long { en: "Until you delete them", de: "Bis Sie sie löschen" }
    stored_questions { en: "Others' questions and answers", de: "Fragen und Antworten anderer" }
    stored_questions_where {
        en: "Nowhere. In memory while a job runs",
        de: "Nirgends. Im Arbeitsspeicher, solange eine Aufgabe läuft"
    }
    stored_questions_long { en: "Gone with the job", de: "Verschwinden mit der Aufgabe" }
    stored_presence { en: "Whether you are at the computer", de: "Ob Sie am Computer sind" }
    stored_presence_where {
        en: "In memory. The relay hears only: available or not",
        de: "Im Arbeitsspeicher. Das Relay hört nur: verfügbar oder nicht"
    }
    stored_presence_long { en: "Never kept", de: "Nie aufbewahrt" }
    stored_counts { en: "Counts of tokens asked and lent", de: "Zahl der gefragten und verliehenen Tokens" }
    stored_counts_where { en: "The relay of {org}", de: "Das Relay von {org}" }
    stored_counts_long { en: "As your organisation sets it", de: "Wie Ihre Organisation es festlegt" }
    privacy_accept { en: "What this computer accepts", de: "Was dieser Computer annimmt" }
    privacy_groups { en: "Groups of this computer", de: "Gruppen dieses Computers" }
    privacy_groups_none { en: "none", de: "keine" }
    privacy_accept_labels { en: "Jobs with these labels run here", de: "Aufgaben mit diesen Labels laufen hier" }
    privacy_accept_none { en: "No jobs run here at all.", de: "Hier laufen überhaupt keine Aufgaben." }
    privacy_accept_from { en: "From whom", de: "Von wem" }
    privacy_accept_org {
        en: "Members of {org}, and nobody else. Each job proves where it comes from.",
        de: "Mitglieder von {org}, sonst niemand. Jede Aufgabe weist nach, woher sie kommt."
    }
    privacy_sees { en: "Who can read a question", de: "Wer eine Frage lesen kann" }
    privacy_sees_text {
        en: "The computer that asks and the one that answers. The relay in between cannot.",
        de: "Der Computer, der fragt, und der, der antwortet. Das Relay dazwischen nicht."
    }
    privacy_older { en: "Show older", de: "Ältere zeigen" }
    privacy_yours { en: "Your data", de: "Ihre Daten" }
    privacy_yours_text {
        en: "Everything that Lull keeps about you on this computer, in one file, without any key.",
        de: "Alles, was Lull auf diesem Computer über Sie aufbewahrt, in einer Datei, ohne Schlüssel."
    }
    privacy_export_all { en: "Export everything", de: "Alles exportieren" }
    privacy_erase_ran { en: "Erase what ran here", de: "Löschen, was hier lief" }
    privacy_erase_used { en: "Erase my usage", de: "Meine Nutzung löschen" }
    privacy_erase_chats { en: "Erase my conversations", de: "Meine Gespräche löschen" }
    erase_used_title { en: "Erase your usage?", de: "Ihre Nutzung löschen?" }
    erase_used_text {
        en: "The counts by day and model are deleted for good. It cannot be undone.",
        de: "Die Zahlen nach Tag und Modell werden endgültig gelöscht. Das lässt sich nicht rückgängig machen."
    }
    erase_used_do { en: "Erase usage", de: "Nutzung löschen" }
    erase_chats_title { en: "Erase all conversations?", de: "Alle Gespräche löschen?" }
    erase_chats_text {
        en: "Every conversation in this window is deleted for good, and everything you attached. It cannot be undone.",
        de: "Alle Gespräche in diesem Fenster werden endgültig gelöscht, mit allem, was Sie angehängt haben. Das \
             lässt sich nicht rückgängig machen."
    }
    erase_chats_do { en: "Erase conversations", de: "Gespräche löschen" }
    erased_used { en: "Your usage is erased.", de: "Ihre Nutzung ist gelöscht." }
    erased_chats { en: "Your conversations are erased.", de: "Ihre Gespräche sind gelöscht." }
    stored_size { en: "Size", de: "Größe" }
    stored_identity {
        en: "Who this computer is: keys and certificates",
        de: "Wer dieser Computer ist: Schlüssel und Zertifikate"
    }
    stored_settings { en: "Your settings, pause and preferences", de: "Ihre Einstellungen, Pause und Vorlieben" }
    stored_keys {
        en: "Names and fingerprints of your tools’ keys",
        de: "Namen und Prüfsummen der Schlüssel Ihrer Programme"
    }
    stored_ran { en: "What ran here: times and amounts", de: "Was hier lief: Zeiten und Mengen" }
    stored_used { en: "What you asked: amounts by day and model", de: "Was Sie fragten: Mengen nach Tag und Modell" }
    stored_models { en: "Models", de: "Modelle" }
}
