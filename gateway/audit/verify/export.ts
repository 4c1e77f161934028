import { chainedItems, type ChainedItem, chainedRecord, type ChainedRecord } from './item.ts'

export interface Export {
  /** Each where its first record occurs. */
  readonly items: readonly ChainedItem[]
  /** Numbers, from 1, of the lines that are no audit record. */
  readonly malformed: readonly number[]
}

/** Reads an export: one JSON object a line, one for each field-level record, as `phi audit list --json` prints it. */
export function parseExport(text: string): Export {
  const records: ChainedRecord[] = []
  const malformed: number[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    const record = chainedRecord(json(line))
    if (record === undefined) malformed.push(index + 1)
    else records.push(record)
  }
  return { items: chainedItems(records), malformed }
}

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
