//! Every lending rule: its title, what it does, its values and whose word it is.

use super::entries;

entries! {
    section_when { en: "When to lend", de: "Wann verliehen wird" }
    section_stops { en: "What comes first", de: "Was Vorrang hat" }
    section_limits { en: "How much", de: "Wie viel" }
    section_safety { en: "Safety", de: "Sicherheit" }

    set_enabled { en: "Lend this computer", de: "Diesen Computer verleihen" }
    set_enabled_help {
        en: "Colleagues' questions run here while you are away. You can take it back at any time.",
        de: "Fragen von Kollegen laufen hier, während Sie weg sind. Sie können es jederzeit zurücknehmen."
    }
    set_idle { en: "Wait after you leave", de: "Warten, nachdem Sie gehen" }
    set_idle_help {
        en: "So long nobody must have touched keyboard, mouse or screen.",
        de: "So lange darf niemand Tastatur, Maus oder Bildschirm berührt haben."
    }
    set_battery { en: "Lend on battery, too", de: "Auch im Akkubetrieb verleihen" }
    set_battery_help { en: "Off: only while plugged in.", de: "Aus: nur am Stromnetz." }
    set_metered { en: "Lend on paid networks, too", de: "Auch in bezahlten Netzen verleihen" }
    set_metered_help {
        en: "Off: not over a phone or another network that is paid for by use.",
        de: "Aus: nicht über ein Handy oder ein anderes Netz, das nach Verbrauch kostet."
    }
    set_hours { en: "Hours", de: "Zeiten" }
    set_hours_help {
        en: "Only in these hours, on this computer's clock.",
        de: "Nur in diesen Zeiten, nach der Uhr dieses Computers."
    }
    set_celsius { en: "Stop when it gets warm", de: "Aufhören, wenn es warm wird" }
    set_celsius_help { en: "Above this temperature nothing runs.", de: "Über dieser Temperatur läuft nichts." }
    set_cores { en: "Stop for busy programs", de: "Aufhören für rechnende Programme" }
    set_cores_help {
        en: "When your own programs use more processor cores than this, they come first.",
        de: "Brauchen Ihre Programme mehr Prozessorkerne als dies, haben sie Vorrang."
    }
    set_calls { en: "Stop for calls", de: "Aufhören bei Anrufen" }
    set_calls_help {
        en: "While the microphone or camera is in use.",
        de: "Während Mikrofon oder Kamera benutzt wird."
    }
    set_films { en: "Stop for films and talks", de: "Aufhören bei Filmen und Vorträgen" }
    set_films_help { en: "While a program keeps the screen on.", de: "Während ein Programm den Bildschirm anhält." }
    set_full_screen { en: "Stop for full-screen windows", de: "Aufhören bei Vollbild" }
    set_full_screen_help {
        en: "While a window fills the screen, as games and presentations do.",
        de: "Während ein Fenster den Bildschirm füllt, wie bei Spielen und Präsentationen."
    }
    set_remote { en: "Stop for remote sessions", de: "Aufhören bei Fernzugriff" }
    set_remote_help {
        en: "While someone uses this computer from elsewhere.",
        de: "Während jemand diesen Computer aus der Ferne nutzt."
    }
    set_apps { en: "Stop for these programs", de: "Aufhören für diese Programme" }
    set_apps_help {
        en: "While one of them runs, nothing is lent.",
        de: "Solange eines davon läuft, wird nicht verliehen."
    }
    set_threads { en: "Processor", de: "Prozessor" }
    set_threads_help {
        en: "The most processor threads that all models together may use.",
        de: "So viele Prozessor-Threads dürfen alle Modelle zusammen höchstens nutzen."
    }
    set_memory { en: "Memory", de: "Arbeitsspeicher" }
    set_memory_help {
        en: "The most memory for all models together. It is free again when you are back.",
        de: "So viel bekommen alle Modelle zusammen höchstens. Es ist wieder frei, wenn Sie zurück sind."
    }
    set_disk { en: "Disk", de: "Festplatte" }
    set_disk_help { en: "The most room for models.", de: "So viel Platz bekommen Modelle höchstens." }
    set_watts { en: "Watts of one busy thread", de: "Watt eines beschäftigten Threads" }
    set_watts_help {
        en: "Only for the estimate of energy. Nothing is decided by it.",
        de: "Nur für die Schätzung der Energie. Nichts hängt davon ab."
    }
    set_tier { en: "How well models must be locked in", de: "Wie gut Modelle eingesperrt sein müssen" }
    set_tier_help {
        en: "Where this computer cannot do that much, nothing runs.",
        de: "Kann dieser Computer das nicht, läuft nichts."
    }

    value_on { en: "On", de: "Ein" }
    value_off { en: "Off", de: "Aus" }
    value_do_not_look { en: "Do not look at it", de: "Nicht darauf achten" }
    value_as_fits { en: "As many as fit", de: "So viele wie passen" }
    value_no_apps { en: "None", de: "Keine" }
    value_basic { en: "With filters", de: "Mit Filtern" }
    value_full { en: "Fully", de: "Vollständig" }
    value_always { en: "Always", de: "Immer" }
    value_never { en: "Never", de: "Nie" }

    your_organisation { en: "your organisation", de: "Ihrer Organisation" }

    lock_fixed {
        en: "Your organisation decided this, and only it can change it. Pausing is always up to you.",
        de: "Das hat Ihre Organisation festgelegt, nur sie kann es ändern. Pausieren können Sie immer."
    }
    lock_stricter {
        en: "Your organisation set this limit. You can be stricter on this computer, but not looser.",
        de: "Diese Grenze hat Ihre Organisation gesetzt. Sie können hier strenger sein, aber nicht großzügiger."
    }

    said_by_you { en: "You chose: {value}", de: "Sie wählten: {value}" }
    said_by_policy {
        en: "Your organisation’s signed policy said: {value}",
        de: "In den signierten Regeln Ihrer Organisation stand: {value}"
    }
    said_by_file {
        en: "Your organisation’s file on this computer said: {value}",
        de: "In der Datei Ihrer Organisation auf diesem Computer stand: {value}"
    }
}
