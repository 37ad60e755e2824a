//! The tray: its first row, what can be chosen, and what is notified.

use super::messages;

messages! {
    title_not_joined { en: "Not joined yet", de: "Noch nicht beigetreten" }
    starting { en: "Lull is looking how things stand", de: "Lull prüft, wie es steht" }
    silent { en: "Lull's background part does not answer", de: "der Hintergrunddienst von Lull antwortet nicht" }
    not_joined {
        en: "this computer belongs to no organisation yet",
        de: "dieser Computer gehört noch zu keiner Organisation"
    }

    line(title, reason) { en: "{title}: {reason}", de: "{title}: {reason}" }
    line_until(title, reason, until) { en: "{title}: {reason} · {until}", de: "{title}: {reason} · {until}" }
    tooltip(line) { en: "Lull – {line}", de: "Lull – {line}" }

    tray_give_back { en: "Give me my computer back", de: "Gib mir meinen Computer zurück" }
    tray_resume { en: "Lend again", de: "Wieder verleihen" }
    tray_go_on { en: "Go on lending", de: "Weiter verleihen" }
    tray_pause_hour(end) { en: "Pause for 1 hour (until {end})", de: "1 Stunde pausieren (bis {end})" }
    tray_pause_tomorrow(end) { en: "Pause until {end}", de: "Bis {end} pausieren" }
    tray_pause_forever { en: "Pause until I resume", de: "Pausieren, bis ich fortsetze" }
    tray_stay_hour(end) { en: "Stay paused for 1 hour (until {end})", de: "1 Stunde pausiert bleiben (bis {end})" }
    tray_stay_tomorrow(end) { en: "Stay paused until {end}", de: "Bis {end} pausiert bleiben" }
    tray_stay_forever { en: "Stay paused until I resume", de: "Pausiert bleiben, bis ich fortsetze" }
    tray_finish { en: "Finish this job, then stop", de: "Diese Aufgabe beenden, dann aufhören" }
    tray_start { en: "Start lending…", de: "Verleihen beginnen…" }
    tray_join { en: "Join your organisation…", de: "Der Organisation beitreten…" }
    tray_trouble { en: "See what is wrong…", de: "Zeigen, was nicht stimmt…" }
    tray_ran { en: "What ran here today…", de: "Was heute hier lief…" }
    tray_ran_none { en: "What ran here today: nothing…", de: "Was heute hier lief: nichts…" }
    tray_ran_one { en: "What ran here today: 1 job…", de: "Was heute hier lief: 1 Aufgabe…" }
    tray_ran_many(jobs) { en: "What ran here today: {jobs} jobs…", de: "Was heute hier lief: {jobs} Aufgaben…" }
    tray_rules { en: "Organisation rules…", de: "Regeln der Organisation…" }
    tray_open { en: "Open Lull", de: "Lull öffnen" }
    tray_quit { en: "Quit Lull", de: "Lull beenden" }
    tray_failed(why) { en: "That did not work: {why}", de: "Das hat nicht geklappt: {why}" }

    notice_silent { en: "Lull does not answer", de: "Lull antwortet nicht" }
    notice_silent_body {
        en: "Quit Lull from its menu and start it again. Quitting ends everything that runs here.",
        de: "Beenden Sie Lull über sein Menü und starten Sie es neu. Beenden stoppt alles, was hier läuft."
    }
    notice_rules { en: "Lull's settings cannot be read", de: "Die Einstellungen von Lull sind nicht lesbar" }
    notice_worker { en: "This computer cannot lend", de: "Dieser Computer kann nicht verliehen werden" }
    notice_organisation { en: "Lending was switched off", de: "Das Verleihen wurde abgeschaltet" }
    notice_removed { en: "This computer's access has ended", de: "Der Zugang dieses Computers ist beendet" }
    notice_removed_body {
        en: "Your organisation took it back, or it ran out. Ask your IT for a new invitation.",
        de: "Ihre Organisation hat ihn entzogen, oder er ist abgelaufen. Bitten Sie Ihre IT um eine neue Einladung."
    }
    notice_failed { en: "That did not work", de: "Das hat nicht geklappt" }
    notice_pause_failed { en: "Lull could not pause", de: "Lull konnte nicht pausieren" }
    notice_pause_failed_body(why) {
        en: "{why} – to stop everything now, quit Lull from its menu.",
        de: "{why} – um sofort alles zu stoppen, beenden Sie Lull über sein Menü."
    }
}
