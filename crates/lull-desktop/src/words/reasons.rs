//! How this computer stands: the state's name, why, and until when. The tray and the window both say these.

use super::messages;

messages! {
    title_starting { en: "Starting", de: "Startet" }
    title_silent { en: "No answer", de: "Keine Antwort" }
    title_off { en: "Not lending", de: "Nicht verliehen" }
    title_waiting { en: "Waiting to lend", de: "Wartet" }
    title_lending { en: "Lending", de: "Verliehen" }
    title_finishing { en: "Finishing", de: "Letzte Aufgabe" }
    title_yielding { en: "Giving back", de: "Wird zurückgegeben" }
    title_paused { en: "Paused", de: "Pausiert" }

    until_any_moment { en: "this ends any moment", de: "das endet jeden Moment" }
    until_you_resume { en: "until you resume", de: "bis Sie fortsetzen" }
    until_paused(moment, left) { en: "until {moment} ({left} left)", de: "bis {moment} (noch {left})" }
    until_waiting(moment, left) { en: "not before {moment} (in {left})", de: "frühestens {moment} (noch {left})" }
    until_yielding(left) { en: "memory free in {left}", de: "noch {left}, dann ist der Speicher frei" }

    named(text, what) { en: "{text} ({what})", de: "{text} ({what})" }
    because(text, why) { en: "{text}: {why}", de: "{text}: {why}" }

    no_connection {
        en: "your organisation's relay cannot be reached",
        de: "das Relay Ihrer Organisation ist nicht erreichbar"
    }
    no_model { en: "there is no working model on this computer", de: "auf diesem Computer fehlt ein nutzbares Modell" }
    lending_idle { en: "ready, and nobody is asking", de: "bereit, niemand fragt gerade" }
    lending_one { en: "working on 1 question", de: "arbeitet an 1 Frage" }
    lending_many(n) { en: "working on {n} questions", de: "arbeitet an {n} Fragen" }
    paused { en: "as you asked", de: "wie von Ihnen gewünscht" }
    finishing { en: "stops after what runs now", de: "hört nach der laufenden Aufgabe auf" }

    not_agreed { en: "you have not agreed to it", de: "Sie haben nicht zugestimmt" }
    organisation { en: "your organisation does not want it", de: "Ihre Organisation möchte es nicht" }
    rules_broken { en: "the rules cannot be read", de: "die Regeln sind nicht lesbar" }
    no_worker { en: "no model can run here", de: "hier kann kein Modell laufen" }
    just_left { en: "making sure that you are away", de: "prüft, ob Sie wirklich weg sind" }
    outside_hours { en: "outside the agreed hours", de: "außerhalb der vereinbarten Zeiten" }
    settling { en: "resting a little before lending again", de: "ruht kurz, bevor es weitergeht" }

    in_use_input { en: "you are using this computer", de: "Sie benutzen diesen Computer" }
    in_use_session { en: "someone is logged in here", de: "hier ist jemand angemeldet" }
    in_use_remote { en: "someone uses this computer from elsewhere", de: "jemand nutzt diesen Computer aus der Ferne" }
    in_use_sleep {
        en: "the computer is going to sleep or has just woken",
        de: "der Computer geht in den Ruhezustand oder ist gerade aufgewacht"
    }
    in_use_film {
        en: "a program keeps the screen on, as films and talks do",
        de: "ein Programm hält den Bildschirm an, wie bei Filmen und Vorträgen"
    }
    in_use_call { en: "the microphone or camera is in use", de: "Mikrofon oder Kamera wird benutzt" }
    in_use_full_screen { en: "a window fills the screen", de: "ein Fenster füllt den Bildschirm" }
    in_use_power { en: "the computer runs on battery", de: "der Computer läuft mit Akku" }
    in_use_heat { en: "the computer is too warm", de: "der Computer ist zu warm" }
    in_use_network { en: "the network is paid for by use", de: "das Netz wird nach Verbrauch bezahlt" }
    in_use_load { en: "other programs need the processor", de: "andere Programme brauchen den Prozessor" }
    in_use_memory { en: "memory is short", de: "der Arbeitsspeicher ist knapp" }
    in_use_gpu { en: "the graphics card is in use", de: "die Grafikkarte wird benutzt" }
    in_use_app { en: "a program that comes first is running", de: "ein Programm mit Vorrang läuft" }
    in_use_clock { en: "the computer's clock has jumped", de: "die Uhr des Computers ist gesprungen" }

    unknown_input {
        en: "Lull cannot tell whether you are using this computer",
        de: "Lull erkennt nicht, ob Sie diesen Computer benutzen"
    }
    unknown_session { en: "Lull cannot tell who is logged in", de: "Lull erkennt nicht, wer angemeldet ist" }
    unknown_remote {
        en: "Lull cannot tell whether someone uses this computer from elsewhere",
        de: "Lull erkennt nicht, ob jemand diesen Computer aus der Ferne nutzt"
    }
    unknown_sleep {
        en: "Lull cannot tell whether the computer is going to sleep",
        de: "Lull erkennt nicht, ob der Computer in den Ruhezustand geht"
    }
    unknown_film {
        en: "Lull cannot tell whether a film or a talk is on",
        de: "Lull erkennt nicht, ob ein Film oder Vortrag läuft"
    }
    unknown_call {
        en: "Lull cannot tell whether the microphone or camera is in use",
        de: "Lull erkennt nicht, ob Mikrofon oder Kamera benutzt wird"
    }
    unknown_full_screen {
        en: "Lull cannot tell whether a window fills the screen",
        de: "Lull erkennt nicht, ob ein Fenster den Bildschirm füllt"
    }
    unknown_power {
        en: "Lull cannot tell whether the computer runs on battery",
        de: "Lull erkennt nicht, ob der Computer mit Akku läuft"
    }
    unknown_heat {
        en: "Lull cannot tell how warm the computer is",
        de: "Lull erkennt nicht, wie warm der Computer ist"
    }
    unknown_network {
        en: "Lull cannot tell whether the network is paid for by use",
        de: "Lull erkennt nicht, ob das Netz nach Verbrauch bezahlt wird"
    }
    unknown_load {
        en: "Lull cannot tell how busy other programs are",
        de: "Lull erkennt nicht, wie viel andere Programme rechnen"
    }
    unknown_memory {
        en: "Lull cannot tell how much memory is free",
        de: "Lull erkennt nicht, wie viel Arbeitsspeicher frei ist"
    }
    unknown_gpu {
        en: "Lull cannot tell whether the graphics card is in use",
        de: "Lull erkennt nicht, ob die Grafikkarte benutzt wird"
    }
    unknown_app {
        en: "Lull cannot tell which programs are running",
        de: "Lull erkennt nicht, welche Programme laufen"
    }
    unknown_clock {
        en: "Lull cannot tell whether the clock is right",
        de: "Lull erkennt nicht, ob die Uhr richtig geht"
    }
}
