//! What went wrong, and the way out, for each code.

use super::entries;

entries! {
    fault_bad_request { en: "The question was not understood", de: "Die Frage wurde nicht verstanden" }
    way_bad_request {
        en: "Change what you asked for and try again.",
        de: "Ändern Sie die Anfrage und versuchen Sie es noch einmal."
    }
    fault_unsupported { en: "That is not supported", de: "Das wird nicht unterstützt" }
    way_unsupported { en: "Leave it out and try again.", de: "Lassen Sie es weg und versuchen Sie es noch einmal." }
    fault_unauthorized { en: "Not signed in", de: "Nicht angemeldet" }
    way_unauthorized {
        en: "Open Lull again from its tray icon.",
        de: "Öffnen Sie Lull neu über das Symbol in der Leiste."
    }
    fault_forbidden { en: "Not allowed", de: "Nicht erlaubt" }
    way_forbidden {
        en: "Your organisation's rules do not allow it. Ask your IT.",
        de: "Die Regeln Ihrer Organisation erlauben es nicht. Fragen Sie Ihre IT."
    }
    fault_quota_used { en: "Your quota is used up", de: "Ihr Kontingent ist aufgebraucht" }
    way_quota_used {
        en: "A new day begins at midnight UTC. Your organisation set the quota: it stands among its rules in Settings.",
        de: "Ein neuer Tag beginnt um Mitternacht UTC. Das Kontingent hat Ihre Organisation festgelegt: Es steht bei ihren Regeln in den Einstellungen."
    }
    fault_model_unknown { en: "No such model", de: "Dieses Modell gibt es nicht" }
    way_model_unknown { en: "Choose another model.", de: "Wählen Sie ein anderes Modell." }
    fault_no_lender { en: "No computer is free", de: "Kein Computer ist frei" }
    way_no_lender {
        en: "Nobody offers this model now. Try again in a while, or choose another model.",
        de: "Gerade bietet niemand dieses Modell an. Versuchen Sie es später, oder wählen Sie ein anderes."
    }
    fault_busy { en: "Everything is busy", de: "Alles ist belegt" }
    way_busy {
        en: "All computers with this model are at work. Try again in a moment.",
        de: "Alle Computer mit diesem Modell arbeiten. Versuchen Sie es gleich noch einmal."
    }
    fault_context_exceeded { en: "The conversation is too long", de: "Das Gespräch ist zu lang" }
    way_context_exceeded {
        en: "This model cannot hold that much. Start a new conversation, or shorten what you attached.",
        de: "So viel fasst dieses Modell nicht. Beginnen Sie ein neues Gespräch, oder kürzen Sie den Anhang."
    }
    fault_lender_lost { en: "The other computer went away", de: "Der andere Computer ist weg" }
    way_lender_lost {
        en: "What arrived is kept. Ask again to get a whole answer.",
        de: "Was ankam, bleibt. Fragen Sie noch einmal für eine vollständige Antwort."
    }
    fault_yielding { en: "Its owner came back", de: "Jemand kam an den Computer zurück" }
    way_yielding {
        en: "That computer was given back at once. Ask again; another one takes it.",
        de: "Er wurde sofort zurückgegeben. Fragen Sie noch einmal; ein anderer übernimmt."
    }
    fault_lender_refused { en: "The other computer refused", de: "Der andere Computer lehnte ab" }
    way_lender_refused {
        en: "Ask again; another one may take it.",
        de: "Fragen Sie noch einmal; vielleicht übernimmt ein anderer."
    }
    fault_lender_untrusted {
        en: "The other computer could not be verified",
        de: "Der andere Computer ließ sich nicht prüfen"
    }
    way_lender_untrusted {
        en: "Nothing was sent to it. Tell your IT if it happens again.",
        de: "Es wurde ihm nichts geschickt. Sagen Sie es Ihrer IT, wenn es wieder vorkommt."
    }
    fault_worker_died { en: "The model crashed", de: "Das Modell ist abgestürzt" }
    way_worker_died {
        en: "Ask again. If it keeps happening, choose another model.",
        de: "Fragen Sie noch einmal. Bleibt es so, wählen Sie ein anderes Modell."
    }
    fault_worker_hung { en: "The model stopped answering", de: "Das Modell antwortet nicht mehr" }
    way_worker_hung {
        en: "Ask again. If it keeps happening, choose another model.",
        de: "Fragen Sie noch einmal. Bleibt es so, wählen Sie ein anderes Modell."
    }
    fault_worker_memory { en: "The model ran out of memory", de: "Dem Modell ging der Speicher aus" }
    way_worker_memory {
        en: "Ask something shorter, or choose a smaller model.",
        de: "Fragen Sie kürzer, oder wählen Sie ein kleineres Modell."
    }
    fault_worker_protocol {
        en: "The model's program misbehaved",
        de: "Das Programm des Modells verhielt sich falsch"
    }
    way_worker_protocol {
        en: "Ask again. Tell your IT if it happens again.",
        de: "Fragen Sie noch einmal. Sagen Sie es Ihrer IT, wenn es wieder vorkommt."
    }
    fault_unconfined { en: "The sandbox is not complete", de: "Die Sandbox ist nicht vollständig" }
    way_unconfined {
        en: "No job runs without it. See Privacy for what is missing.",
        de: "Ohne sie läuft nichts. Unter Datenschutz steht, was fehlt."
    }
    fault_model_broken { en: "The model cannot be loaded", de: "Das Modell lässt sich nicht laden" }
    way_model_broken {
        en: "Its files are damaged or incomplete. Add it again.",
        de: "Seine Dateien sind beschädigt oder unvollständig. Fügen Sie es neu hinzu."
    }
    fault_relay_unreachable { en: "The relay cannot be reached", de: "Das Relay ist nicht erreichbar" }
    way_relay_unreachable {
        en: "Check your network or VPN, and try again.",
        de: "Prüfen Sie Netz oder VPN, und versuchen Sie es noch einmal."
    }
    fault_relay_draining { en: "The relay is restarting", de: "Das Relay startet neu" }
    way_relay_draining { en: "Try again in a minute.", de: "Versuchen Sie es in einer Minute." }
    fault_not_enrolled {
        en: "This computer belongs to no organisation yet",
        de: "Dieser Computer gehört noch zu keiner Organisation"
    }
    way_not_enrolled {
        en: "Ask your IT for an invitation, and paste it on the page Welcome.",
        de: "Bitten Sie Ihre IT um eine Einladung und fügen Sie sie auf der Seite Willkommen ein."
    }
    fault_not_running { en: "Lull does not answer", de: "Lull antwortet nicht" }
    way_not_running {
        en: "Lull's background part is not running. Start it and try again.",
        de: "Der Hintergrunddienst läuft nicht. Starten Sie ihn und versuchen Sie es noch einmal."
    }
    fault_expired { en: "Access has run out", de: "Der Zugang ist abgelaufen" }
    way_expired { en: "Ask your IT for a new invitation.", de: "Bitten Sie Ihre IT um eine neue Einladung." }
    fault_revoked { en: "Access was taken back", de: "Der Zugang wurde entzogen" }
    way_revoked {
        en: "Ask your IT why, and for a new invitation.",
        de: "Fragen Sie Ihre IT nach dem Grund und einer neuen Einladung."
    }
    fault_bad_seal { en: "A seal did not hold", de: "Ein Siegel hielt nicht" }
    way_bad_seal {
        en: "The answer was thrown away, because it could not be trusted. Tell your IT.",
        de: "Die Antwort wurde verworfen, weil ihr nicht zu trauen war. Sagen Sie es Ihrer IT."
    }
    fault_bad_frame { en: "An answer could not be read", de: "Eine Antwort war nicht lesbar" }
    way_bad_frame {
        en: "Two versions of Lull may not fit together. Update and try again.",
        de: "Vielleicht passen zwei Versionen von Lull nicht zusammen. Aktualisieren Sie, und versuchen Sie es noch \
             einmal."
    }
    fault_invitation_used { en: "The invitation was used before", de: "Die Einladung wurde schon benutzt" }
    way_invitation_used { en: "Ask your IT for a new one.", de: "Bitten Sie Ihre IT um eine neue." }
    fault_cancelled { en: "Cancelled", de: "Abgebrochen" }
    way_cancelled {
        en: "Ask again if you still want an answer.",
        de: "Fragen Sie noch einmal, wenn Sie noch eine Antwort möchten."
    }
    fault_timeout { en: "It took too long", de: "Es hat zu lange gedauert" }
    way_timeout { en: "Try again.", de: "Versuchen Sie es noch einmal." }
    fault_storage { en: "The disk did not take it", de: "Die Festplatte nahm es nicht an" }
    way_storage {
        en: "Check that there is space left on this computer, and try again.",
        de: "Prüfen Sie, ob auf diesem Computer Platz ist, und versuchen Sie es noch einmal."
    }
    fault_internal { en: "A fault in Lull", de: "Ein Fehler in Lull" }
    way_internal {
        en: "Try again. If it stays, report it with the code below.",
        de: "Versuchen Sie es noch einmal. Bleibt er, melden Sie ihn mit dem Code darunter."
    }
}
