/** What the scripted pool answers. */
export const SAMPLE = `Three things matter when a service moves to *idempotent* retries.

1. **A key per request.** The client makes it once and sends it with every try.
2. **A record of the outcome.** The server stores the key with the answer, in the same transaction as the effect.
3. **A bound on age.** Keys are forgotten after a day; whoever comes later gets a clear refusal.

Here is the core of it in Rust:

\`\`\`rust
/// Runs \`effect\` at most once for a key, and answers alike ever after.
pub fn once<T: Clone>(seen: &mut Seen<T>, key: Key, effect: impl FnOnce() -> T) -> T {
    if let Some(answer) = seen.get(&key) {
        return answer.clone(); // answered before: no second effect
    }
    let answer = effect();
    seen.insert(key, answer.clone());
    answer
}
\`\`\`

| failure | without a key | with a key |
|---|---|---|
| the answer is lost | two effects | one effect |
| the client restarts | two effects | one effect |
| the server restarts | unknown | one effect |

> The record and the effect must be one transaction; otherwise the key only *narrows* the gap.

See also \`Idempotency-Key\` in the [HTTP working group's draft](https://example.org/draft).
`;

const WORDS = (
  "a machine that rests while its owner works and works while its owner rests is worth more than one that does either " +
  "alone and nobody has to notice because the first touch of a key gives everything back"
).split(" ");

/**
 * So many lines of Markdown, with code, lists and tables, always the same.
 * @param {number} lines
 */
export function longAnswer(lines) {
  /** @type {string[]} */
  const out = [];
  for (let section = 1; out.length < lines; section++) {
    out.push(`## Part ${section}`, "");
    for (let line = 0; line < 6; line++) out.push(`${sentence(section * 7 + line, 22)} \`node_${line}\` **${line}**.`);
    out.push("", "```python", `def part_${section}(nodes):`);
    for (let line = 0; line < 9; line++) out.push(`    total = sum(n.slots for n in nodes if n.id != ${line})  # ${sentence(line, 6)}`);
    out.push("    return total", "```", "");
    for (let line = 0; line < 7; line++) out.push(`- ${sentence(section + line * 3, 12)}`);
    out.push("", "| node | slots | speed |", "|---|---:|---:|");
    for (let line = 0; line < 4; line++) out.push(`| desk-${section}-${line} | ${line + 1} | ${(line + 1) * 7.3} |`);
    out.push("");
  }
  return out.slice(0, lines).join("\n");
}

/**
 * @param {number} from
 * @param {number} count
 */
function sentence(from, count) {
  return Array.from({ length: count }, (_, i) => WORDS[(from * 5 + i) % WORDS.length]).join(" ");
}

/**
 * Text cut as a model would give it.
 * @param {string} text
 * @returns {string[]}
 */
export function tokensOf(text) {
  return text.match(/\s*\S{1,5}|\s+/g) ?? [];
}
