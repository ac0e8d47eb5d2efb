// Prints one line for each test, and at the end the whole of each failure, how many passed, and the names of those that failed.
import { basename } from "node:path";

export default async function* report(source) {
  const count = { passed: 0, failed: 0 };
  const failures = [];
  for await (const { type, data } of source) {
    if (type === "test:stderr" || type === "test:stdout") yield data.message;
    if (data.details?.type === "suite" || !["test:pass", "test:fail"].includes(type)) continue;
    // A file counts by its tests, unless it failed as a whole: it could not be loaded, or never ended.
    if (data.name.endsWith(".mjs") && (type === "test:pass" || data.details.error.failureType === "subtestsFailed")) continue;
    const verdict = data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed";
    count[verdict] = (count[verdict] ?? 0) + 1;
    yield `${verdict.padEnd(7)} ${data.name}\n`;
    if (verdict !== "failed") continue;
    const { error } = data.details;
    const where = basename(data.file ?? "");
    failures.push({ line: `failed  ${basename(data.name) === where ? where : `${data.name} (${where})`}\n`, why: error.cause?.stack ?? error.stack ?? error.message });
  }
  // Logs are often seen from their end only, and a stack can be long: the names come last.
  for (const { line, why } of failures) yield `\n${line}${why}\n`;
  yield `\n${Object.entries(count).filter(([, number]) => number).map(([verdict, number]) => `${number} ${verdict}`).join(", ")}\n`;
  for (const { line } of failures) yield line;
}
