import type { DisclosedValue, DisclosureTerms } from '../audit/patient-disclosures.ts'
import { describedAs } from '../model/accounting/information.ts'
import { frequencyOf, type Repeated, summarized } from '../model/accounting/repeated.ts'
import type { PatientDisclosurePage } from '../store/patient-access-source.ts'
import type { ShownAccesses } from './shown-accesses.ts'

/** The answer of `disclosuresOfMyRecord`, as the schema has it. */
export interface RecordDisclosures extends ShownDisclosures {
  readonly from: string
  readonly to: string
  readonly at: string
  readonly mayBeIncomplete: true
}

interface ShownDisclosures {
  readonly entries: readonly object[]
  readonly protocols: readonly object[]
}

/** A disclosure that is an entry of its own. Times are milliseconds since the epoch. */
interface Entry extends DisclosureTerms {
  readonly at: number
  readonly description: string
  readonly statement?: string | undefined
  readonly repeated?: Repeated | undefined
}

/** Everything that the audit function answered to one question. */
export interface DisclosedParts {
  readonly disclosures: readonly { readonly terms: DisclosureTerms; readonly values: readonly DisclosedValue[] }[]
  readonly entered: PatientDisclosurePage['entered']
  readonly protocols: PatientDisclosurePage['protocols']
}

/** Joins answers. A disclosure can continue in the next one. */
export function disclosedParts(pages: readonly PatientDisclosurePage[]): DisclosedParts {
  const disclosures = new Map<string, { readonly terms: DisclosureTerms; readonly values: DisclosedValue[] }>()
  const protocols = new Map<string, PatientDisclosurePage['protocols'][number]>()
  for (const page of pages) {
    for (const { key, terms: place, values } of page.disclosures) {
      const terms = page.terms[place]
      const known = disclosures.get(key)
      if (known !== undefined) known.values.push(...values)
      else if (terms !== undefined) disclosures.set(key, { terms, values: [...values] })
    }
    for (const one of page.protocols) {
      const { protocol } = one.protocol
      if (protocols.get(protocol)?.isForAnyone !== true) protocols.set(protocol, one)
    }
  }
  return {
    disclosures: [...disclosures.values()],
    entered: pages.flatMap(({ entered }) => entered),
    protocols: [...protocols.values()],
  }
}

/**
 * The entries and protocols that the caller may know of. A disclosure without a value that the caller may know of is neither an entry nor
 * a part of a summary, and no protocol is listed for it.
 *
 * @param shown with the records of the values checked
 * @source 45 CFR 164.528(b)
 */
export function shownDisclosures(
  { disclosures, entered, protocols }: DisclosedParts,
  shown: Pick<ShownAccesses, 'shown' | 'isLimited'>,
): ShownDisclosures {
  const logged = disclosures.flatMap(({ terms, values }): Entry[] => {
    const open = values.flatMap((value) => {
      const categories = shown.shown(value)
      return categories === undefined ? [] : [{ at: value.at, categories }]
    })
    if (open.length === 0) return []
    // information without a category is described in general
    const categories = open.flatMap((one): readonly (string | undefined)[] =>
      one.categories.length === 0 ? [undefined] : one.categories,
    )
    return [{ ...terms, at: Math.min(...open.map(({ at }) => at)), description: describedAs(categories) }]
  })
  const all = [...logged, ...(shown.isLimited ? [] : entered)]
  const listed = new Set(all.flatMap(({ insteadOf }) => insteadOf ?? []))
  const own = all.filter(({ insteadOf }) => insteadOf === undefined)
  return {
    entries: summarized(own, ({ isSummarized }) => isSummarized).map(entryOf),
    protocols: protocols
      .filter(({ protocol, isForAnyone }) => listed.has(protocol.protocol) || (isForAnyone && !shown.isLimited))
      .map(({ protocol: { from, to, ...same } }) => ({ ...same, from: timeOf(from), to: to === undefined ? null : timeOf(to) })),
  }
}

const entryOf = ({ at, recipient, description, purpose, statement, repeated }: Entry): object => ({
  at: timeOf(at),
  recipient,
  description,
  purpose,
  statement: statement ?? null,
  repeated:
    repeated === undefined ? null : { count: repeated.count, last: timeOf(repeated.last), frequency: frequencyOf(at, repeated) },
})

const timeOf = (at: number): string => new Date(at).toISOString()
