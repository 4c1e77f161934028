import { dayOf } from './calendar.ts'

/** Several disclosures to one recipient for one purpose. `last` is in milliseconds since the epoch. @source 45 CFR 164.528(b)(3) */
export interface Repeated {
  readonly count: number
  readonly last: number
}

interface Summarizable {
  readonly at: number
  readonly recipient: { readonly name: string; readonly address?: string | undefined }
  readonly purpose: string
  readonly statement?: string | undefined
  readonly description: string
  readonly repeated?: Repeated | undefined
}

/**
 * The entries, the earliest first. Several disclosures to one recipient for one purpose become one entry: the first of them in full, the
 * number of all, and the date of the last.
 *
 * @param isSummarized whether an entry may become a part of another one
 */
export function summarized<Entry extends Summarizable>(
  entries: readonly Entry[],
  isSummarized: (entry: Entry) => boolean,
): readonly Entry[] {
  const groups = new Map<string, Entry[]>()
  for (const [place, entry] of entries.toSorted((one, other) => one.at - other.at).entries()) {
    const { recipient, purpose, statement } = entry
    const names = [recipient.name, recipient.address ?? '', purpose, statement ?? ''].map(plain)
    const key = JSON.stringify(isSummarized(entry) ? names : place)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [entry])
    else group.push(entry)
  }
  return [...groups.values()].flatMap((group): Entry[] => {
    const [first] = group
    if (first === undefined) return []
    if (group.length === 1) return [first]
    const count = group.reduce((sum, { repeated }) => sum + (repeated?.count ?? 1), 0)
    const last = Math.max(...group.map(({ at, repeated }) => repeated?.last ?? at))
    return [{ ...first, description: describedAll(group), repeated: { count, last } }]
  })
}

/** The rule asks for the description of the first disclosure alone. If a later one had other information, it is described too. */
function describedAll(group: readonly Summarizable[]): string {
  const [first, ...later] = new Set(group.map(({ description }) => description))
  return later.length === 0 ? (first ?? '') : [first, ...later.map((text) => `Later also: ${text}`)].join('\n')
}

/** Letters and digits in lower case: names of one agency are written in many ways. */
const plain = (text: string): string =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/** Whether two names are the same, but for case, spaces and punctuation. */
export const isNamed = (one: string, other: string): boolean => plain(one) === plain(other)

const DAY_MS = 86_400_000

/** How often something was repeated, in words. @param first milliseconds since the epoch */
export function frequencyOf(first: number, { count, last }: Repeated): string {
  const times = `${count} times`
  if (dayOf(first) === dayOf(last)) return `${times} on one day`
  const days = Math.round((last - first) / DAY_MS / Math.max(1, count - 1))
  if (count === 2) return times
  if (days < 1) return `${times}, several times a day`
  return `${times}, about once ${days === 1 ? 'a day' : `every ${days} days`}`
}
