import type { EditedFile } from '../directives/sdl-edits.ts'

/** Unchanged lines around a change, as `git diff` has them. */
const CONTEXT = 3

/** Lines from `start` of the one text, which are replaced by lines of the other. Numbers are from 0. */
interface Change {
  readonly start: number
  readonly removed: readonly string[]
  readonly added: readonly string[]
}

/** The difference of two texts in the unified format. `git apply` accepts it. Empty for equal texts. */
export function unifiedDiff({ name, before, after }: EditedFile): string {
  const [old, now] = [before.split('\n'), after.split('\n')]
  const hunks = hunksOf(changesOf(old, now))
  if (hunks.length === 0) return ''
  let shift = 0
  const parts = hunks.map((changes) => {
    const { text, grown } = hunkText(old, changes, shift)
    shift += grown
    return text
  })
  return `--- a/${name}\n+++ b/${name}\n${parts.join('')}`
}

/** The changed places, by the longest common subsequence of lines. */
function changesOf(old: readonly string[], now: readonly string[]): readonly Change[] {
  const common = commonLengths(old, now)
  const changes: { start: number; removed: string[]; added: string[] }[] = []
  let [one, other] = [0, 0]
  let open: { start: number; removed: string[]; added: string[] } | undefined
  while (one < old.length || other < now.length) {
    const [left, right] = [old[one], now[other]]
    if (left !== undefined && left === right) {
      open = undefined
      one++
      other++
      continue
    }
    if (open === undefined) changes.push((open = { start: one, removed: [], added: [] }))
    const width = now.length + 1
    const isRemoved =
      right === undefined ||
      (left !== undefined && (common[(one + 1) * width + other] ?? 0) >= (common[one * width + other + 1] ?? 0))
    if (isRemoved && left !== undefined) {
      open.removed.push(left)
      one++
    } else if (right !== undefined) {
      open.added.push(right)
      other++
    }
  }
  return changes
}

/** The length of the longest common subsequence from each pair of lines on, in rows of `now.length + 1`. */
function commonLengths(old: readonly string[], now: readonly string[]): Uint16Array {
  const width = now.length + 1
  const lengths = new Uint16Array((old.length + 1) * width)
  for (let one = old.length - 1; one >= 0; one--)
    for (let other = now.length - 1; other >= 0; other--)
      lengths[one * width + other] =
        old[one] === now[other]
          ? (lengths[(one + 1) * width + other + 1] ?? 0) + 1
          : Math.max(lengths[(one + 1) * width + other] ?? 0, lengths[one * width + other + 1] ?? 0)
  return lengths
}

/** Changes whose context touches share a hunk. */
function hunksOf(changes: readonly Change[]): readonly (readonly Change[])[] {
  const hunks: Change[][] = []
  for (const change of changes) {
    const last = hunks.at(-1)
    const before = last?.at(-1)
    if (last !== undefined && before !== undefined && change.start - (before.start + before.removed.length) <= 2 * CONTEXT)
      last.push(change)
    else hunks.push([change])
  }
  return hunks
}

function hunkText(
  old: readonly string[],
  changes: readonly Change[],
  shift: number,
): { readonly text: string; readonly grown: number } {
  const [first, last] = [changes[0], changes.at(-1)]
  if (first === undefined || last === undefined) return { text: '', grown: 0 }
  // the text behind the last line break is no line
  const end = Math.min(last.start + last.removed.length + CONTEXT, old.at(-1) === '' ? old.length - 1 : old.length)
  const start = Math.max(0, first.start - CONTEXT)
  const lines: string[] = []
  let at = start
  for (const { start: from, removed, added } of changes) {
    lines.push(
      ...old.slice(at, from).map((line) => ` ${line}`),
      ...removed.map((line) => `-${line}`),
      ...added.map((line) => `+${line}`),
    )
    at = from + removed.length
  }
  lines.push(...old.slice(at, end).map((line) => ` ${line}`))
  const grown = changes.reduce((sum, { removed, added }) => sum + added.length - removed.length, 0)
  return { text: `@@ -${start + 1},${end - start} +${start + 1 + shift},${end - start + grown} @@\n${lines.join('\n')}\n`, grown }
}
