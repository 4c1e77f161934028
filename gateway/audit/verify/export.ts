import { type ChainedEntry, chainedEntry } from './entry.ts'

export interface Export {
  readonly entries: readonly ChainedEntry[]
  /** Numbers, from 1, of the lines that are no audit record. */
  readonly malformed: readonly number[]
}

/** Reads an export: one JSON object a line, as `phi audit list --json` prints it. Empty lines are passed over. */
export function parseExport(text: string): Export {
  const entries: ChainedEntry[] = []
  const malformed: number[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const entry = chainedEntry(json(line))
    if (entry === undefined) malformed.push(index + 1)
    else entries.push(entry)
  }
  return { entries, malformed }
}

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
