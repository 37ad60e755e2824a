//! Models, use, and how other tools use the pool.

use super::entries;

entries! {
    // Models
    models_lead {
        en: "A model is usable as soon as one computer in the pool offers it.",
        de: "Ein Modell ist nutzbar, sobald ein Computer im Pool es anbietet."
    }
    models_look { en: "Look again", de: "Neu nachsehen" }
    models_looked { en: "Looked again.", de: "Neu nachgesehen." }
    models_none_title { en: "No models yet", de: "Noch keine Modelle" }
    models_none {
        en: "Nobody in the pool offers one now, and none is on this computer.",
        de: "Niemand im Pool bietet gerade eines an, und auf diesem Computer ist keines."
    }
    models_name { en: "Model", de: "Modell" }
    models_place { en: "Where", de: "Wo" }
    models_size { en: "Size", de: "Größe" }
    models_context { en: "Context", de: "Kontext" }
    models_speed { en: "Best speed", de: "Bestes Tempo" }
    models_lenders { en: "Computers", de: "Computer" }
    models_ask { en: "Ask", de: "Fragen" }
    models_ask_named { en: "Ask {name}", de: "{name} fragen" }
    place_here { en: "this computer", de: "dieser Computer" }
    place_pool { en: "pool", de: "Pool" }
    place_both { en: "here and pool", de: "hier und Pool" }
    place_nowhere { en: "not offered now", de: "gerade nicht" }
    models_speed_value { en: "{n} tok/s", de: "{n} Tok./s" }
    models_context_value { en: "{n} tokens", de: "{n} Tokens" }
    models_hash { en: "Fingerprint", de: "Fingerabdruck" }
    models_add { en: "Add a model", de: "Ein Modell hinzufügen" }
    models_add_path { en: "File or folder", de: "Datei oder Ordner" }
    models_add_path_text {
        en: "A GGUF file with its tokenizer beside it, or a safetensors folder, on this computer.",
        de: "Eine GGUF-Datei mit ihrem Tokenizer daneben oder ein Safetensors-Ordner, auf diesem Computer."
    }
    models_add_name { en: "Name in the pool", de: "Name im Pool" }
    models_add_name_text { en: "Optional. Left empty: from the file.", de: "Freiwillig. Leer: nach der Datei." }
    models_add_do { en: "Add", de: "Hinzufügen" }
    models_add_file { en: "Choose a file…", de: "Datei auswählen…" }
    models_add_folder { en: "Choose a folder…", de: "Ordner auswählen…" }
    models_add_empty {
        en: "Say which file or folder first.",
        de: "Geben Sie zuerst eine Datei oder einen Ordner an."
    }
    models_adding { en: "Being added", de: "Wird hinzugefügt" }
    models_adding_of { en: "{done} of {total}", de: "{done} von {total}" }
    models_adding_start { en: "Reading", de: "Wird gelesen" }
    models_adding_stop { en: "Stop adding {name}", de: "{name} nicht hinzufügen" }
    models_adding_failed { en: "{name} could not be added", de: "{name} konnte nicht hinzugefügt werden" }
    models_adding_forget { en: "Forget it", de: "Nicht mehr zeigen" }
    models_remove_named { en: "Remove {name}", de: "{name} entfernen" }
    models_remove_title { en: "Remove {name} from this computer?", de: "{name} von diesem Computer entfernen?" }
    models_remove_text {
        en: "Its {size} are free again. Other computers keep theirs; adding it later means reading the file again.",
        de: "{size} werden frei. Andere Computer behalten ihres; später hinzufügen heißt, die Datei noch einmal zu \
             lesen."
    }
    models_remove_text_plain {
        en: "Other computers keep theirs; adding it later means reading the file again.",
        de: "Andere Computer behalten ihres; später hinzufügen heißt, die Datei noch einmal zu lesen."
    }
    models_remove_do { en: "Remove model", de: "Modell entfernen" }
    models_removed { en: "{name} is removed.", de: "{name} ist entfernt." }

    // Usage
    usage_lead {
        en: "What you asked from this computer, counted by day and model. The words are not kept, and nobody else \
             sees the counts here.",
        de: "Was Sie von diesem Computer aus fragten, gezählt nach Tag und Modell. Die Worte werden nicht \
             aufbewahrt, und die Zahlen hier sieht sonst niemand."
    }
    usage_none_title { en: "Nothing asked yet", de: "Noch nichts gefragt" }
    usage_none {
        en: "Ask something in Chat, or connect a tool: the counts appear here.",
        de: "Fragen Sie etwas im Chat, oder verbinden Sie ein Programm: Die Zahlen erscheinen hier."
    }
    usage_none_period { en: "Nothing was asked in this time.", de: "In dieser Zeit wurde nichts gefragt." }
    usage_questions { en: "Questions", de: "Fragen" }
    usage_unanswered { en: "Not answered", de: "Nicht beantwortet" }
    usage_read { en: "Tokens asked", de: "Tokens gefragt" }
    usage_written { en: "Tokens answered", de: "Tokens geantwortet" }
    usage_by_day { en: "Tokens per day", de: "Tokens pro Tag" }
    usage_by_model { en: "By model", de: "Nach Modell" }
    usage_export { en: "Export as CSV", de: "Als CSV exportieren" }
    period_all { en: "All", de: "Alles" }

    // Connect
    connect_lead {
        en: "Any tool that speaks OpenAI's API can use the pool.",
        de: "Jedes Werkzeug, das die API von OpenAI spricht, kann den Pool benutzen."
    }
    connect_base { en: "Base URL", de: "Basis-URL" }
    connect_base_text {
        en: "Only programs on this computer reach it.",
        de: "Nur Programme auf diesem Computer erreichen sie."
    }
    connect_none_title { en: "The local API is off", de: "Die lokale API ist aus" }
    connect_none {
        en: "The node was started without it, or another program uses its port. The page Health says which.",
        de: "Der Node wurde ohne sie gestartet, oder ein anderes Programm belegt den Port. Die Seite Zustand weiß \
             mehr."
    }
    connect_tools { en: "In your tools", de: "In Ihren Werkzeugen" }
    connect_tool { en: "Tool", de: "Werkzeug" }
    connect_tools_text {
        en: "Put your key in place of `YOUR_KEY`.",
        de: "Setzen Sie Ihren Schlüssel für `YOUR_KEY` ein."
    }
    connect_model_note {
        en: "The snippets use {model}; any name from Models works.",
        de: "Die Beispiele nennen {model}; jeder Name unter Modelle geht."
    }
    connect_label { en: "Labels", de: "Labels" }
    connect_label_text {
        en: "The header `x-lull-label` gives a request its label: {labels}.",
        de: "Der Header `x-lull-label` gibt einer Anfrage ihr Label: {labels}."
    }
    connect_keys { en: "Keys", de: "Schlüssel" }
    connect_keys_text {
        en: "Each tool gets a key of its own, so that one can be taken back without the others.",
        de: "Jedes Programm bekommt seinen eigenen Schlüssel, damit sich einer ohne die anderen zurücknehmen lässt."
    }
    connect_keys_none {
        en: "No keys yet. Tools cannot ask without one.",
        de: "Noch keine Schlüssel. Ohne einen kann kein Programm fragen."
    }
    key_name { en: "Name of the new key", de: "Name des neuen Schlüssels" }
    key_name_hint { en: "my-editor", de: "mein-editor" }
    key_name_empty {
        en: "Give the key a name first, such as the tool that will use it.",
        de: "Geben Sie dem Schlüssel zuerst einen Namen, etwa den des Programms."
    }
    key_create { en: "Create key", de: "Schlüssel anlegen" }
    key_created { en: "created {moment}", de: "angelegt {moment}" }
    key_new_title { en: "Your new key “{name}”", de: "Ihr neuer Schlüssel „{name}“" }
    key_new_text {
        en: "It is shown this once and kept nowhere. Copy it now and paste it into your tool.",
        de: "Er wird nur dieses eine Mal gezeigt und nirgends aufbewahrt. Kopieren Sie ihn jetzt in Ihr Programm."
    }
    key_new_done { en: "Done", de: "Fertig" }
    key_revoke { en: "Revoke", de: "Zurücknehmen" }
    key_revoke_named { en: "Revoke {name}", de: "{name} zurücknehmen" }
    key_revoke_title { en: "Revoke the key “{name}”?", de: "Den Schlüssel „{name}“ zurücknehmen?" }
    key_revoke_text {
        en: "Tools that use it stop working at once. It cannot be undone; you can always create a new one.",
        de: "Programme, die ihn benutzen, können sofort nicht mehr fragen. Das lässt sich nicht rückgängig machen; \
             ein neuer ist schnell angelegt."
    }
    key_revoke_do { en: "Revoke key", de: "Schlüssel zurücknehmen" }
    key_revoked { en: "The key {name} no longer works.", de: "Der Schlüssel {name} gilt nicht mehr." }
}
