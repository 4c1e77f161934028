import type { Source } from 'graphql'
import type { NarrowedGrant } from './narrow.ts'

/** Replaces the characters from `start` to `end - 1` of a file. */
interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** A file of SDL before and after. */
export interface EditedFile {
  readonly name: string
  readonly before: string
  readonly after: string
}

/** The files of a schema with the changes of its grants, by name. Files without a change are left out. */
export function narrowedFiles(narrowed: readonly NarrowedGrant[]): readonly EditedFile[] {
  const edits = new Map<Source, Edit[]>()
  for (const { grant, change } of narrowed) {
    if (grant.node.loc === undefined || change.kind === 'NONE') continue
    const { start, end } = grant.node.loc
    const edit = change.kind === 'REPLACE' ? { start, end, text: change.sdl } : removal(grant.source.body, start, end)
    edits.set(grant.source, [...(edits.get(grant.source) ?? []), edit])
  }
  return [...edits]
    .map(([{ name, body }, all]) => ({ name, before: body, after: edited(body, all) }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
}

/** Removes a directive with its line if nothing else is there, else with the space before it. */
function removal(body: string, start: number, end: number): Edit {
  const lineStart = body.lastIndexOf('\n', start - 1) + 1
  const rest = /^[ \t]*(?:\r?\n|$)/.exec(body.slice(end))?.[0]
  if (rest !== undefined && body.slice(lineStart, start).trim() === '')
    return { start: lineStart, end: end + rest.length, text: '' }
  const textEnd = body.slice(0, start).trimEnd().length
  const lineBefore = body.slice(body.lastIndexOf('\n', textEnd - 1) + 1, textEnd)
  // at the end of a comment, what follows would become part of it
  return { start: lineBefore.includes('#') ? start : textEnd, end, text: '' }
}

function edited(body: string, edits: readonly Edit[]): string {
  let [text, at] = ['', 0]
  for (const edit of edits.toSorted((one, other) => one.start - other.start)) {
    text += body.slice(at, edit.start) + edit.text
    at = edit.end
  }
  return text + body.slice(at)
}
