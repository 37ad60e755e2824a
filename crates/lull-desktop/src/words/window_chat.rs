//! Asking.

use super::entries;

entries! {
    chat_new { en: "New chat", de: "Neuer Chat" }
    chat_list { en: "Conversations", de: "Gespräche" }
    chat_list_open { en: "Show conversations", de: "Gespräche anzeigen" }
    chat_untitled { en: "New chat", de: "Neuer Chat" }
    chat_none { en: "No conversations yet", de: "Noch keine Gespräche" }
    chat_delete { en: "Delete conversation", de: "Gespräch löschen" }
    chat_deleted { en: "Conversation deleted.", de: "Gespräch gelöscht." }
    chat_empty_title { en: "Ask a colleague's idle computer", de: "Fragen Sie einen Computer, der gerade ruht" }
    chat_empty {
        en: "Your question is sealed on this computer and opened only by the one that answers.",
        de: "Ihre Frage wird auf diesem Computer versiegelt und nur von dem geöffnet, der antwortet."
    }
    chat_no_models_title { en: "No model is offered at the moment", de: "Gerade wird kein Modell angeboten" }
    chat_no_models {
        en: "As soon as a computer in the pool offers one, you can ask here. You can write already; nothing is lost.",
        de: "Sobald ein Computer im Pool eines anbietet, können Sie hier fragen. Schreiben können Sie schon; es geht \
             nichts verloren."
    }
    chat_message { en: "Message", de: "Nachricht" }
    chat_placeholder { en: "Write a message", de: "Nachricht schreiben" }
    chat_send { en: "Send", de: "Senden" }
    chat_stop { en: "Stop", de: "Anhalten" }
    chat_send_hint {
        en: "Enter sends, Shift and Enter starts a new line",
        de: "Enter sendet, Umschalt und Enter beginnt eine neue Zeile"
    }
    chat_model { en: "Model", de: "Modell" }
    chat_model_gone { en: "{model} (not offered now)", de: "{model} (gerade nicht angeboten)" }
    chat_label { en: "Label", de: "Label" }
    label_public { en: "Public", de: "Öffentlich" }
    label_internal { en: "Internal", de: "Intern" }
    label_confidential { en: "Confidential", de: "Vertraulich" }
    chat_setup { en: "Instructions", de: "Anweisungen" }
    chat_setup_title { en: "Instructions for this conversation", de: "Anweisungen für dieses Gespräch" }
    chat_setup_text {
        en: "The model reads them before everything else: a role, a tone, a language.",
        de: "Das Modell liest sie vor allem anderen: eine Rolle, ein Ton, eine Sprache."
    }
    chat_setup_save { en: "Keep", de: "Behalten" }
    chat_attach { en: "Attach a text file", de: "Textdatei anhängen" }
    chat_detach { en: "Remove {name}", de: "{name} entfernen" }
    chat_file_big {
        en: "{name} is larger than {max}. Attach a part of it.",
        de: "{name} ist größer als {max}. Hängen Sie einen Teil davon an."
    }
    chat_file_binary { en: "{name} is not a text file.", de: "{name} ist keine Textdatei." }
    chat_file_many { en: "At most {n} files per message.", de: "Höchstens {n} Dateien je Nachricht." }
    chat_you { en: "You", de: "Sie" }
    chat_queued_next { en: "Looking for a free computer", de: "Sucht einen freien Computer" }
    chat_queued_one { en: "Waiting: {n} job before yours", de: "Wartet: {n} Aufgabe vor Ihrer" }
    chat_queued_many { en: "Waiting: {n} jobs before yours", de: "Wartet: {n} Aufgaben vor Ihrer" }
    chat_started { en: "{name} is reading your question", de: "{name} liest Ihre Frage" }
    chat_edit { en: "Edit", de: "Bearbeiten" }
    chat_edit_send { en: "Ask again", de: "Noch einmal fragen" }
    chat_regenerate { en: "Another answer", de: "Andere Antwort" }
    chat_continue { en: "Ask again", de: "Noch einmal fragen" }
    chat_stopped { en: "Stopped by you", de: "Von Ihnen angehalten" }
    chat_length { en: "Cut at the longest allowed answer", de: "An der längsten erlaubten Antwort abgeschnitten" }
    chat_by { en: "answered by {name}", de: "Antwort von {name}" }
    chat_speed { en: "{n} tokens/s", de: "{n} Tokens/s" }
    chat_first { en: "first word after {time}", de: "erstes Wort nach {time}" }
    chat_tokens_one { en: "{n} token", de: "{n} Token" }
    chat_tokens_many { en: "{n} tokens", de: "{n} Tokens" }
    chat_done { en: "The answer is complete.", de: "Die Antwort ist vollständig." }
    chat_failed { en: "The answer failed: {why}", de: "Die Antwort ist gescheitert: {why}" }
    chat_latest { en: "To the newest", de: "Zum Neuesten" }
    chat_replaced { en: "The earlier answer was replaced.", de: "Die frühere Antwort wurde ersetzt." }
    chat_not_kept {
        en: "Conversations cannot be stored in this browser. They are lost when you close the window.",
        de: "Dieser Browser kann keine Gespräche speichern. Sie gehen verloren, wenn Sie das Fenster schließen."
    }
    chat_code { en: "Code", de: "Code" }
    chat_lines_one { en: "{n} line", de: "{n} Zeile" }
    chat_lines_many { en: "{n} lines", de: "{n} Zeilen" }
    chat_by_machine { en: "answered by {name} ({machine})", de: "Antwort von {name} ({machine})" }
    chat_moved_one { en: "moved {n} time", de: "{n}-mal umgezogen" }
    chat_moved_many { en: "moved {n} times", de: "{n}-mal umgezogen" }
}
