import { readFileSync } from "node:fs";

/** A fenced block of a page: what stands behind the fence (``` LANGUAGE NOTE), and what is in it. */
export interface Block {
  language: string;
  note: string;
  code: string;
  /** The heading above it, to name tests. */
  heading: string;
  line: number;
}

/** A table of a page; cells without the space around them. */
export interface Table {
  header: string[];
  rows: string[][];
  heading: string;
}

/** A page of the documentation, taken apart. */
export interface Page {
  text: string;
  blocks: Block[];
  tables: Table[];
}

export function readPage(path: string): Page {
  const text = readFileSync(path, "utf8");
  const blocks: Block[] = [];
  const tables: Table[] = [];
  let heading = "";
  let block: Block | null = null;
  let table: Table | null = null;
  for (const [index, line] of text.split("\n").entries()) {
    const [, fence, language = "", note = ""] = /^(```)(\S*) ?(.*)$/.exec(line) ?? [];
    if (block !== null) {
      if (fence === undefined) block.code += `${line}\n`;
      else block = null;
      continue;
    }
    if (fence !== undefined) blocks.push((block = openBlock(language, note, heading, index + 1)));
    if (line.startsWith("#")) heading = line.replace(/^#+ /, "");
    if (!line.startsWith("|")) {
      table = null;
      continue;
    }
    const cells = cellsOf(line);
    if (table === null) tables.push((table = { header: cells, rows: [], heading }));
    else if (!/^[-:]+$/.test(cells[0] ?? "")) table.rows.push(cells);
  }
  return { text, blocks, tables };
}

/** What stands in code marks, of a cell or a page. */
export function codesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}

function openBlock(language: string, note: string, heading: string, line: number): Block {
  return { language, note, code: "", heading, line };
}

function cellsOf(line: string): string[] {
  return line
    .slice(1, line.lastIndexOf("|"))
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}
