/** The longest event, in characters: a token is a few hundred bytes. */
const EVENT_CHARS_MAX = 1 << 20;

/** Cuts a `text/event-stream` into the data of its events, however the network has cut it before. */
export class SseReader {
  #rest = "";
  #data: string[] = [];

  push(text: string): string[] {
    this.#rest += text;
    if (this.#rest.length > EVENT_CHARS_MAX) throw new Error("an event is longer than its bound");
    const done: string[] = [];
    for (;;) {
      const end = this.#rest.search(/\r\n|\n|\r(?!$)/);
      if (end < 0) return done;
      const line = this.#rest.slice(0, end);
      this.#rest = this.#rest.slice(end + (this.#rest.startsWith("\r\n", end) ? 2 : 1));
      if (line === "") {
        if (this.#data.length > 0) done.push(this.#data.join("\n"));
        this.#data = [];
      } else if (line.startsWith("data:")) {
        this.#data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}
