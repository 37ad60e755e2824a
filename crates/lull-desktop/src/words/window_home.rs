//! First meeting and Home.

use super::entries;

entries! {
    // Joining, agreeing, declining
    first_title {
        en: "Would you lend this computer while you are away?",
        de: "Möchten Sie diesen Computer verleihen, während Sie weg sind?"
    }
    first_lead {
        en: "{org} pools the idle time of its computers into one private AI network. Nothing runs here before you \
             agree, and asking questions works either way.",
        de: "{org} macht aus der freien Zeit seiner Computer ein privates KI-Netz. Hier läuft nichts, bevor Sie \
             zustimmen, und Fragen stellen können Sie in jedem Fall."
    }
    first_what { en: "What runs", de: "Was läuft" }
    first_what_text {
        en: "A language model answers questions from colleagues, locked into a sandbox without network and without \
             your files.",
        de: "Ein Sprachmodell beantwortet Fragen von Kolleginnen und Kollegen, eingesperrt in einer Sandbox ohne \
             Netz und ohne Ihre Dateien."
    }
    first_when { en: "When", de: "Wann" }
    first_when_text {
        en: "Only when nobody has touched this computer for {minutes} minutes, it is on mains, cool, on an unmetered \
             network, and no call, film or full-screen window is on.",
        de: "Nur wenn {minutes} Minuten lang niemand diesen Computer berührt hat, er am Strom hängt, kühl ist, das \
             Netz nichts nach Verbrauch kostet und weder Anruf, Film noch Vollbild läuft."
    }
    first_back { en: "When you come back", de: "Wenn Sie zurückkommen" }
    first_back_text {
        en: "Your first touch stops the work at once. If you stay, it ends and its memory is yours again within \
             seconds.",
        de: "Ihre erste Berührung hält die Arbeit sofort an. Bleiben Sie, endet sie, und der Speicher gehört in \
             Sekunden wieder Ihnen."
    }
    first_see { en: "Who can see what", de: "Wer was sehen kann" }
    first_see_text {
        en: "The relay reads neither questions nor answers. It learns that this computer is available or not, \
             nothing else about you. You see what ran here: time, model, amount. Never the words, never the name.",
        de: "Das Relay liest weder Fragen noch Antworten. Es erfährt nur, ob dieser Computer verfügbar ist, sonst \
             nichts über Sie. Sie sehen, was hier lief: Zeit, Modell, Menge. Nie die Worte, nie den Namen."
    }
    first_cost { en: "What it costs", de: "Was es kostet" }
    first_cost_text {
        en: "Electricity: about {watts} W for each processor thread at work, estimated. Lull shows the sum, and a \
             pause is always one click away.",
        de: "Strom: etwa {watts} W je arbeitendem Prozessor-Thread, geschätzt. Lull zeigt die Summe, und die Pause \
             ist immer einen Klick entfernt."
    }
    first_agree { en: "Agree and lend", de: "Zustimmen und verleihen" }
    first_decline { en: "Not now", de: "Jetzt nicht" }
    first_later {
        en: "You can change this at any time under Settings.",
        de: "Das lässt sich jederzeit unter Einstellungen ändern."
    }
    join_title {
        en: "Put your computer’s idle time to good use",
        de: "Machen Sie etwas aus der freien Zeit Ihres Computers"
    }
    join_lead {
        en: "Lull pools the idle time of your organisation’s computers into one private AI network. First this \
             computer joins your organisation; whether it also lends is asked next, and is up to you.",
        de: "Lull macht aus der freien Zeit der Computer Ihrer Organisation ein privates KI-Netz. Zuerst tritt \
             dieser Computer Ihrer Organisation bei. Ob er auch verliehen wird, fragt Lull danach – das entscheiden \
             Sie."
    }
    join_heading { en: "Join your organisation", de: "Der Organisation beitreten" }
    join_token { en: "Invitation", de: "Einladung" }
    join_token_text {
        en: "Your IT gives you one: a long text that works once. Paste it here.",
        de: "Die bekommen Sie von Ihrer IT: ein langer Text, der einmal gilt. Fügen Sie ihn hier ein."
    }
    join_name { en: "Name of this computer", de: "Name dieses Computers" }
    join_name_text {
        en: "Optional. Colleagues see it under the answers that come from here. Left empty: its own name.",
        de: "Freiwillig. Kollegen sehen ihn unter Antworten, die von hier kommen. Leer: sein eigener Name."
    }
    join_do { en: "Join", de: "Beitreten" }
    join_busy { en: "Joining", de: "Tritt bei" }
    join_empty { en: "Paste the invitation first.", de: "Fügen Sie zuerst die Einladung ein." }
    join_wrong { en: "This is not a valid invitation", de: "Das ist keine gültige Einladung" }
    join_wrong_way {
        en: "Copy it once more, from its first character to its last, or ask your IT for a new one.",
        de: "Kopieren Sie sie noch einmal, vom ersten bis zum letzten Zeichen, oder bitten Sie Ihre IT um eine neue."
    }
    join_unreachable_way {
        en: "Nothing is lost: the invitation was not used up. Check your network or VPN, and try again.",
        de: "Nichts ist verloren: Die Einladung ist nicht verbraucht. Prüfen Sie Netz oder VPN und versuchen Sie es \
             noch einmal."
    }
    join_done { en: "This computer now belongs to {org}.", de: "Dieser Computer gehört jetzt zu {org}." }
    start_title { en: "Start Lull when you log in?", de: "Soll Lull beim Anmelden starten?" }
    start_text {
        en: "It sits quietly in the tray and does only what you have agreed to. Without it, your computer helps only \
             while you have opened Lull yourself.",
        de: "Es sitzt still in der Leiste und tut nur, wozu Sie zugestimmt haben. Sonst hilft Ihr Computer nur, wenn \
             Sie Lull selbst geöffnet haben."
    }
    start_yes { en: "Start by itself", de: "Von selbst starten" }
    start_no { en: "Only when I open it", de: "Nur wenn ich es öffne" }

    // Home
    home_running { en: "Running now", de: "Läuft gerade" }
    home_running_none { en: "Nothing runs on this computer.", de: "Auf diesem Computer läuft nichts." }
    worker_loading { en: "reading its model", de: "liest sein Modell" }
    worker_frozen { en: "stands still for you", de: "steht für Sie still" }
    worker_idle { en: "ready", de: "bereit" }
    worker_busy { en: "answering", de: "antwortet" }
    worker_down { en: "stopped", de: "gestoppt" }
    worker_restarts_one { en: "started again {n} time", de: "{n}-mal neu gestartet" }
    worker_restarts_many { en: "started again {n} times", de: "{n}-mal neu gestartet" }
    gave { en: "What this computer gave", de: "Was dieser Computer gegeben hat" }
    gave_none_title { en: "Nothing has run here yet", de: "Hier lief noch nichts" }
    gave_none {
        en: "When this computer lends, you see here how much, when, and what it cost. Never who asked, and never \
             what.",
        de: "Wenn dieser Computer verliehen wird, sehen Sie hier wie viel, wann und zu welchen Kosten. Nie, wer \
             gefragt hat, und nie, was."
    }
    gave_none_period { en: "Nothing ran here in this time.", de: "In dieser Zeit lief hier nichts." }
    period { en: "Period", de: "Zeitraum" }
    period_day { en: "Today", de: "Heute" }
    period_week { en: "7 days", de: "7 Tage" }
    period_month { en: "30 days", de: "30 Tage" }
    gave_jobs { en: "Jobs", de: "Aufgaben" }
    gave_tokens { en: "Tokens", de: "Tokens" }
    gave_time { en: "Time", de: "Zeit" }
    gave_energy { en: "Energy", de: "Energie" }
    gave_cost { en: "Cost", de: "Kosten" }
    gave_formula { en: "How energy is estimated", de: "So wird die Energie geschätzt" }
    gave_formula_text {
        en: "Seconds of the workers' processor time × watts per busy thread ÷ 3600. The watts are an estimate (6 \
             unless `lend.watts_per_thread` says otherwise); nothing is measured.",
        de: "Prozessorzeit der Worker in Sekunden × Watt je beschäftigtem Thread ÷ 3600. Die Watt sind eine \
             Schätzung (6, wenn `lend.watts_per_thread` nichts anderes sagt); gemessen wird nichts."
    }
    gave_cost_text {
        en: "Cost is this energy × {price} per kWh, the price from your settings.",
        de: "Kosten sind diese Energie × {price} je kWh, der Preis aus Ihren Einstellungen."
    }
    gave_cost_none {
        en: "Enter your price of electricity in the settings to see the cost as well.",
        de: "Tragen Sie Ihren Strompreis in den Einstellungen ein, um auch die Kosten zu sehen."
    }
    gave_chart_day { en: "Tokens per hour, today", de: "Tokens je Stunde, heute" }
    gave_chart_days { en: "Tokens per day", de: "Tokens je Tag" }
    gave_cut { en: "Only the newest {n} jobs are counted.", de: "Nur die neuesten {n} Aufgaben sind gezählt." }
    gave_most { en: "highest {n}", de: "Höchstwert {n}" }
    when { en: "When", de: "Wann" }
    relay_line { en: "Relay", de: "Relay" }
    relay_up { en: "connected to {relay}", de: "verbunden mit {relay}" }
    relay_down { en: "{relay} cannot be reached", de: "{relay} ist nicht erreichbar" }
    sandbox_line { en: "Sandbox", de: "Sandbox" }
    state_line { en: "This computer", de: "Dieser Computer" }
}
