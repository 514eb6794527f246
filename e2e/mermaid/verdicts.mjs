// Makes sources of twelve types of diagram, valid and broken, and asks mermaid's own parser about each, in Chromium:
//   node e2e/mermaid/verdicts.mjs   (writes crates/api/tests/fixtures/mermaid.json)
// The server's parser is compared with these verdicts by a test. The same sources come out each time.

import { chromium } from "@playwright/test";
import { buildSync } from "esbuild";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const WANTED = 200;

let state = 20261121;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const pick = (all) => all[Math.floor(random() * all.length)];
const times = (n, make) => Array.from({ length: n }, (_, at) => make(at));
const between = (low, high) => low + Math.floor(random() * (high - low + 1));
const WORDS = ["Request", "Approval", "Budget", "Manager", "Office", "Travel", "Report", "Server", "Login", "Cache", "Order", "Review", "Team", "Plan"];
const word = () => pick(WORDS);
const phrase = () => times(between(1, 3), word).join(" ");
const id = (at) => `n${at}`;

const TYPES = {
  flowchart() {
    const n = between(3, 7);
    const shapes = [(t) => `[${t}]`, (t) => `(${t})`, (t) => `{${t}}`, (t) => `((${t}))`, (t) => `[["${t}"]]`, (t) => `>${t}]`, (t) => `[(${t})]`, (t) => `{{${t}}}`, (t) => `["${t} & co."]`];
    const arrows = ["-->", "---", "-.->", "==>", "-->|yes|", "-- text -->", "--o", "--x", "<-->"];
    const lines = times(n, (at) => `  ${id(at)}${pick(shapes)(phrase())} ${pick(arrows)} ${id(at + 1)}`);
    if (random() < 0.4) lines.push("  subgraph Group", `    x1 --> x2`, "  end");
    if (random() < 0.3) lines.push("  classDef hot fill:#f96,stroke:#333", `  class n0 hot`);
    if (random() < 0.3) lines.push("  %% a comment", "  style n1 fill:#bbf");
    return [`${pick(["flowchart", "graph"])} ${pick(["LR", "TD", "TB", "RL", "BT"])}`, ...lines];
  },
  sequenceDiagram() {
    const [a, b, c] = ["Alice", "Bob", "Carol"];
    const arrows = ["->>", "-->>", "->", "-->", "-x", "--x", "-)"];
    const lines = times(between(2, 5), () => `  ${pick([a, b])}${pick(arrows)}${pick([b, c])}: ${phrase()}`);
    if (random() < 0.4) lines.unshift(`  participant ${a} as ${phrase()}`, `  actor ${b}`);
    if (random() < 0.4) lines.push(`  loop every ${word()}`, `    ${a}->>${b}: ping`, "  end");
    if (random() < 0.4) lines.push(`  alt good`, `    ${a}->>${b}: yes`, "  else bad", `    ${b}-->>${a}: no`, "  end");
    if (random() < 0.4) lines.push(`  Note ${pick(["over", "left of", "right of"])} ${a}: ${phrase()}`);
    if (random() < 0.3) lines.push(`  ${a}->>+${b}: go`, `  ${b}-->>-${a}: done`);
    return ["sequenceDiagram", ...(random() < 0.3 ? ["  autonumber"] : []), ...lines];
  },
  classDiagram() {
    const relations = ["<|--", "*--", "o--", "-->", "--", "..>", "..|>", ".."];
    const lines = times(between(2, 4), (at) => `  ${WORDS[at]} ${pick(relations)} ${WORDS[at + 3]}${random() < 0.4 ? ` : ${word()}` : ""}`);
    lines.push(`  class ${WORDS[9]} {`, `    +String name`, `    -int count`, `    +run(value) bool`, "  }");
    if (random() < 0.4) lines.push(`  ${WORDS[0]} : +${word().toLowerCase()}()`);
    if (random() < 0.3) lines.push(`  ${WORDS[0]} "1" --> "many" ${WORDS[5]}`);
    if (random() < 0.3) lines.push(`  <<interface>> ${WORDS[1]}`);
    return ["classDiagram", ...(random() < 0.3 ? ["  direction LR"] : []), ...lines];
  },
  stateDiagram() {
    const lines = times(between(2, 4), (at) => `  ${WORDS[at]} --> ${WORDS[at + 1]}${random() < 0.5 ? ` : ${phrase()}` : ""}`);
    lines.unshift(`  [*] --> ${WORDS[0]}`);
    if (random() < 0.4) lines.push(`  state ${WORDS[8]} {`, "    [*] --> inner", "    inner --> [*]", "  }");
    if (random() < 0.3) lines.push(`  note right of ${WORDS[0]}`, `    ${phrase()}`, "  end note");
    if (random() < 0.3) lines.push(`  state "${phrase()}" as s9`, `  ${WORDS[0]} --> s9`);
    if (random() < 0.3) lines.push("  state choice1 <<choice>>", `  ${WORDS[0]} --> choice1`);
    return ["stateDiagram-v2", ...lines, `  ${WORDS[1]} --> [*]`];
  },
  erDiagram() {
    const ends = ["||--o{", "}|..|{", "||--||", "}o--o|", "|o--o{"];
    const lines = times(between(2, 4), (at) => `  ${WORDS[at].toUpperCase()} ${pick(ends)} ${WORDS[at + 3].toUpperCase()} : ${pick(["has", "places", '"belongs to"'])}`);
    if (random() < 0.6) lines.push(`  ${WORDS[0].toUpperCase()} {`, "    string name PK", `    int number${random() < 0.5 ? ' "a comment"' : ""}`, "  }");
    return ["erDiagram", ...lines];
  },
  gantt() {
    const lines = [`  title ${phrase()}`, "  dateFormat YYYY-MM-DD"];
    for (let part = 0; part < between(1, 2); part++) {
      lines.push(`  section ${phrase()}`);
      lines.push(`  ${phrase()} :${pick(["", "done, ", "active, ", "crit, "])}t${part}, 2026-0${between(1, 9)}-1${between(0, 9)}, ${between(2, 30)}d`);
      lines.push(`  ${phrase()} :after t${part}, ${between(1, 9)}d`);
    }
    if (random() < 0.3) lines.push("  Launch :milestone, m1, 2026-10-01, 0d");
    return ["gantt", ...lines];
  },
  pie() {
    const lines = times(between(2, 5), (at) => `  "${WORDS[at]}" : ${between(1, 90)}${random() < 0.3 ? ".5" : ""}`);
    return [`pie${random() < 0.4 ? " showData" : ""}${random() < 0.6 ? ` title ${phrase()}` : ""}`, ...lines];
  },
  journey() {
    const lines = [`  title ${phrase()}`];
    for (let part = 0; part < between(1, 3); part++) {
      lines.push(`  section ${phrase()}`, ...times(between(1, 3), () => `    ${phrase()}: ${between(1, 5)}: ${pick(["Me", "Me, Cat", "Ada"])}`));
    }
    return ["journey", ...lines];
  },
  mindmap() {
    const shapes = [(t) => t, (t) => `a[${t}]`, (t) => `b(${t})`, (t) => `c((${t}))`, (t) => `d["${t}"]`, (t) => `e))${t}((`, (t) => `f{{${t}}}`];
    const lines = ["  root((Center))"];
    for (let part = 0; part < between(2, 4); part++) {
      lines.push(`    ${pick(shapes)(phrase())}`, ...times(between(0, 3), () => `      ${pick(shapes)(phrase())}`));
    }
    return ["mindmap", ...lines];
  },
  timeline() {
    const lines = random() < 0.7 ? [`  title ${phrase()}`] : [];
    if (random() < 0.5) lines.push(`  section ${phrase()}`);
    lines.push(...times(between(2, 5), (at) => `  ${2000 + at} : ${phrase()}${random() < 0.4 ? ` : ${phrase()}` : ""}`));
    return ["timeline", ...lines];
  },
  gitGraph() {
    const lines = [];
    for (let at = 0; at < between(1, 3); at++) lines.push(random() < 0.5 ? "  commit" : `  commit id: "c${at}"${random() < 0.3 ? ' tag: "v1"' : ""}`);
    lines.push("  branch develop", "  checkout develop", "  commit", `  commit type: ${pick(["HIGHLIGHT", "REVERSE", "NORMAL"])}`);
    lines.push("  checkout main", "  merge develop");
    if (random() < 0.4) lines.push("  commit", "  branch other", "  commit");
    return ["gitGraph", ...lines];
  },
  quadrantChart() {
    const lines = [`  title ${phrase()}`, `  x-axis Low ${word()} --> High ${word()}`, `  y-axis Low ${word()} --> High ${word()}`];
    for (let q = 1; q <= 4; q++) if (random() < 0.8) lines.push(`  quadrant-${q} ${phrase()}`);
    lines.push(...times(between(1, 4), (at) => `  ${WORDS[at]}: [0.${between(1, 9)}, 0.${between(1, 9)}]`));
    return ["quadrantChart", ...lines];
  },
};

/** Slips that people and language models make. */
const SLIPS = [
  (lines) => [lines[0].slice(1), ...lines.slice(1)],
  (lines) => lines.map((line, at) => (at === lines.length - 1 ? line.replace(/[\]\)\}"]\s*$/, "") : line)),
  (lines) => lines.filter((line) => !/^\s*(end|\})\s*$/.test(line)),
  (lines) => [...lines, "  end"],
  (lines) => [...lines, "  }"],
  (lines) => lines.map((line) => line.replace(/-->|->>|--/, "=>>")),
  (lines) => lines.map((line) => line.replace(/\[/, "[[(")),
  (lines) => lines.map((line) => line.replace(/:\s*/, " ")),
  (lines) => lines.map((line) => line.replace(/"/, "")),
  (lines) => [...lines, "  ]]] what ((("],
  (lines) => [...lines, "  A --> --> B"],
  (lines) => ["```mermaid", ...lines, "```"],
  (lines) => ["Here is the diagram:", ...lines],
  (lines) => lines.map((line, at) => (at === 1 ? `${line} }{ "` : line)),
  (lines) => [lines[0] + " ((", ...lines.slice(1)],
  (lines) => lines.map((line) => line.replace(/\d/, "x,,")),
];

const candidates = [];
for (const [type, make] of Object.entries(TYPES)) {
  for (let at = 0; at < 40; at++) candidates.push({ type, source: `${make().join("\n")}\n`, meant: true });
  for (let at = 0; at < 160; at++) candidates.push({ type, source: `${pick(SLIPS)(make()).join("\n")}\n`, meant: false });
}

const work = mkdtempSync(join(tmpdir(), "mermaid-"));
const bundle = join(work, "mermaid.js");
buildSync({
  stdin: { contents: 'import mermaid from "mermaid"; globalThis.mermaid = mermaid;', resolveDir: import.meta.dirname },
  bundle: true,
  format: "iife",
  outfile: bundle,
  logLevel: "error",
});
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const page = await browser.newPage();
await page.setContent("<!doctype html>");
await page.addScriptTag({ path: bundle });
const verdicts = await page.evaluate(async (sources) => {
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });
  const all = [];
  for (const source of sources) {
    try {
      await mermaid.parse(source);
      all.push(true);
    } catch {
      all.push(false);
    }
  }
  return all;
}, candidates.map((one) => one.source));
await browser.close();
rmSync(work, { recursive: true });

const seen = new Set();
const of = (valid) => {
  const all = Object.keys(TYPES).map((type) => candidates.filter((one, at) => one.type === type && one.meant === valid && verdicts[at] === valid));
  const chosen = [];
  for (let at = 0; chosen.length < WANTED && at < 200; at++) {
    for (const list of all) {
      const one = list[at];
      if (one && chosen.length < WANTED && !seen.has(one.source)) {
        seen.add(one.source);
        chosen.push({ type: one.type, valid, source: one.source });
      }
    }
  }
  if (chosen.length < WANTED) throw new Error(`only ${chosen.length} sources with the verdict ${valid}`);
  return chosen;
};
const all = [...of(true), ...of(false)];
const target = join(import.meta.dirname, "../../crates/api/tests/fixtures/mermaid.json");
writeFileSync(target, `[\n${all.map((one) => JSON.stringify(one)).join(",\n")}\n]\n`);
const count = {};
for (const one of all) count[`${one.type} ${one.valid ? "valid" : "broken"}`] = (count[`${one.type} ${one.valid ? "valid" : "broken"}`] ?? 0) + 1;
console.log(count);
