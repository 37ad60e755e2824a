/** The most time that waiting work may take of one frame. */
const SLICE_MS = 6;

/** Work that yields after each small step. */
export type Work = Generator<void, void, void>;

/** Does work in slices between frames, what came last first: the newest messages are those that are looked at. */
class Slices {
  #stack: Work[] = [];
  #due = false;

  add(work: Work): () => void {
    this.#stack.push(work);
    this.#plan();
    return () => {
      this.#stack = this.#stack.filter((other) => other !== work);
    };
  }

  #plan(): void {
    if (this.#due || this.#stack.length === 0) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      this.#run();
      this.#plan();
    });
  }

  #run(): void {
    const end = performance.now() + SLICE_MS;
    for (let work = this.#stack.at(-1); work && performance.now() < end; work = this.#stack.at(-1)) {
      if (work.next().done) this.#stack = this.#stack.filter((other) => other !== work);
    }
  }
}

export const slices = new Slices();
