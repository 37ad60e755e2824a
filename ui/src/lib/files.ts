import type { UsedDay } from "./door";

/** Columns of the export, in order: the names of the door's type. */
const COLUMNS = [
  "day",
  "model",
  "answered",
  "unanswered",
  "prompt_tokens",
  "completion_tokens",
] as const satisfies (keyof UsedDay)[];

/** RFC 4180. */
export function toCsv(days: readonly UsedDay[]): string {
  const rows = days.map((day) => COLUMNS.map((column) => day[column]));
  return [COLUMNS, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** A cell that no spreadsheet takes for a formula: model names come from other people. */
function cell(value: string | number): string {
  let text = String(value);
  if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hands a file to the person as a browser does. */
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The largest text file that can be attached. */
export const ATTACH_BYTES_MAX = 256_000;
/** The most files with one message. */
export const ATTACH_MAX = 5;

/** A file's text, or why it cannot be had. */
export async function readText(file: File): Promise<{ text: string } | { wrong: "big" | "binary" }> {
  if (file.size > ATTACH_BYTES_MAX) return { wrong: "big" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.includes("\0") ? { wrong: "binary" } : { text };
  } catch {
    return { wrong: "binary" };
  }
}
