//! The window's frame, what a person can do about lending, and what stands in the way of any page.

use super::entries;

entries! {
    // The frame
    skip_to_content { en: "Skip to content", de: "Zum Inhalt" }
    navigation { en: "Main", de: "Hauptmenü" }
    nav_home { en: "Home", de: "Übersicht" }
    nav_chat { en: "Chat", de: "Chat" }
    nav_models { en: "Models", de: "Modelle" }
    nav_privacy { en: "Privacy", de: "Datenschutz" }
    nav_connect { en: "Connect", de: "Verbinden" }
    nav_settings { en: "Settings", de: "Einstellungen" }
    nav_about { en: "About", de: "Über Lull" }
    close { en: "Close", de: "Schließen" }
    cancel { en: "Cancel", de: "Abbrechen" }
    undo { en: "Undo", de: "Rückgängig" }
    copy { en: "Copy", de: "Kopieren" }
    copied { en: "Copied", de: "Kopiert" }
    copy_failed {
        en: "Copying was not allowed. Select the text and copy it by hand.",
        de: "Kopieren wurde nicht erlaubt. Markieren Sie den Text und kopieren Sie ihn von Hand."
    }
    dismiss { en: "Dismiss", de: "Ausblenden" }
    try_again { en: "Try again", de: "Noch einmal" }
    yes { en: "Yes", de: "Ja" }
    estimated { en: "estimated", de: "geschätzt" }
    loading { en: "Loading", de: "Lädt" }
    error_code { en: "Code: {code}", de: "Code: {code}" }
    details { en: "What the node said", de: "Was der Node meldet" }
    nav_usage { en: "Usage", de: "Nutzung" }
    nav_doctor { en: "Health", de: "Zustand" }
    nav_welcome { en: "Welcome", de: "Willkommen" }
    saved { en: "Saved.", de: "Gespeichert." }

    // What a person can do about it
    give_back { en: "Give me my computer back", de: "Gib mir meinen Computer zurück" }
    resume { en: "Lend again", de: "Wieder verleihen" }
    go_on { en: "Go on lending", de: "Weiter verleihen" }
    start_lending { en: "Start lending", de: "Verleihen beginnen" }
    pause_menu { en: "Pause", de: "Pausieren" }
    pause_other { en: "Pause differently", de: "Anders pausieren" }
    pause_hour { en: "For 1 hour", de: "Für 1 Stunde" }
    pause_tomorrow { en: "Until tomorrow, {time}", de: "Bis morgen, {time} Uhr" }
    pause_forever { en: "Until I resume", de: "Bis ich fortsetze" }
    pause_finish { en: "Finish what runs, then pause", de: "Laufendes beenden, dann pausieren" }
    done_paused_until { en: "Paused until {moment}.", de: "Pausiert bis {moment}." }
    done_paused { en: "Paused until you resume.", de: "Pausiert, bis Sie fortsetzen." }
    done_finishing { en: "Lull stops after what runs now.", de: "Lull hört nach der laufenden Aufgabe auf." }
    done_resumed { en: "Lull lends again when you are away.", de: "Lull verleiht wieder, wenn Sie weg sind." }
    done_lend_on { en: "Thank you. Lull starts when you are away.", de: "Danke. Lull beginnt, wenn Sie weg sind." }
    done_lend_off { en: "Lending is off on this computer.", de: "Dieser Computer wird nicht verliehen." }

    // Ways out of not lending
    way_off_organisation {
        en: "Your IT decides this. Asking questions works all the same.",
        de: "Das entscheidet Ihre IT. Fragen stellen können Sie trotzdem."
    }
    way_off_rules_broken {
        en: "Until they can be read, nothing runs. Settings says whose word that is, and who can mend it.",
        de: "Bis sie lesbar sind, läuft nichts. In den Einstellungen steht, um wessen Wort es geht und wer es richten kann."
    }
    way_off_no_worker {
        en: "Install Lull again, or ask your IT.",
        de: "Installieren Sie Lull neu, oder fragen Sie Ihre IT."
    }

    // The node, the relay, the session
    gone_title { en: "Lull does not answer", de: "Lull antwortet nicht" }
    gone_text {
        en: "The part of Lull that works in the background is not running, or is just starting. This page comes back \
             by itself.",
        de: "Der Teil von Lull, der im Hintergrund arbeitet, läuft nicht oder startet gerade. Diese Seite kommt von \
             selbst zurück."
    }
    gone_way {
        en: "If it stays like this, start it: open Lull from your programs, or run `lull node run --ui` in a \
             terminal.",
        de: "Bleibt es so, starten Sie ihn: Öffnen Sie Lull aus Ihren Programmen, oder rufen Sie `lull node run \
             --ui` in einem Terminal auf."
    }
    gone_kept {
        en: "Your conversations are safe, and what you type is kept.",
        de: "Ihre Gespräche sind sicher, und was Sie schreiben, bleibt erhalten."
    }
    gone_banner {
        en: "Lull does not answer at the moment. What you see may be old.",
        de: "Lull antwortet gerade nicht. Was Sie sehen, kann veraltet sein."
    }
    signed_out_title { en: "This window needs a new link", de: "Dieses Fenster braucht einen neuen Link" }
    signed_out_text {
        en: "A link opens Lull once. This one was used before, is too old, or belongs to an earlier start of the \
             node.",
        de: "Ein Link öffnet Lull einmal. Dieser wurde schon benutzt, ist zu alt oder gehört zu einem früheren Start."
    }
    signed_out_way {
        en: "Open Lull from its tray icon, or run `lull node run --ui` and paste the link that it prints.",
        de: "Öffnen Sie Lull über das Symbol in der Leiste, oder rufen Sie `lull node run --ui` auf und fügen Sie \
             den Link hier ein."
    }
    signed_out_field { en: "Link or token", de: "Link oder Token" }
    signed_out_enter { en: "Sign in", de: "Anmelden" }
    signed_out_wrong {
        en: "That link was not accepted. Links work once: ask for a new one.",
        de: "Dieser Link wurde nicht angenommen. Links gelten einmal: Fordern Sie einen neuen an."
    }
    signed_out_empty { en: "Paste the link first.", de: "Fügen Sie zuerst den Link ein." }
    relay_down_title { en: "The relay cannot be reached", de: "Das Relay ist nicht erreichbar" }
    relay_down_text {
        en: "Lull keeps trying {relay}. Until then this computer lends to nobody, and questions wait. Check your \
             network or VPN; if it lasts, tell your IT.",
        de: "Lull versucht es weiter bei {relay}. Bis dahin wird dieser Computer nicht verliehen, und Fragen warten. \
             Prüfen Sie Netz oder VPN; dauert es an, sagen Sie es Ihrer IT."
    }
}
