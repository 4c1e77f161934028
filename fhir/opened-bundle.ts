import { withoutPlaceholders } from './absent-reason.ts'
import { type Entry, type ReadEntries, readEntries } from './bundle.ts'
import { Reference } from './datatypes.ts'
import { flatBundle } from './flat-bundle.ts'
import { unfit } from './inspect.ts'
import { isImported } from './left-out.ts'
import { type EntryIssue, type MappingIssue } from './mapping-issue.ts'
import { isObject } from './object.ts'
import { References } from './references.ts'
import { subjectElements } from './subject.ts'

/** A bundle with its entries read, before they are mapped. */
export interface OpenedBundle extends ReadEntries {
  /** The bundle as it was given. */
  readonly bundle: unknown
  /** Without bundles in it. */
  readonly flat: Readonly<Record<string, unknown>>
  readonly places: readonly (readonly number[])[]
  readonly around: readonly (MappingIssue | undefined)[]
  /** Practitioners and organizations that cannot be read. They are not among the entries. */
  readonly strangers: readonly EntryIssue[]
  readonly references: References
}

/** @param now the instant of the import, ISO 8601 in UTC with milliseconds */
export function openBundle(bundle: unknown, now: string): OpenedBundle {
  const { bundle: flat, places, around } = flatBundle(bundle)
  const read = readEntries(flat)
  const all = read.entries.map((entry) => ({ ...entry, resource: withoutPlaceholders(entry.resource) }))
  // a party that cannot be read is one that the bundle does not hold: nothing of it is shown, and its id stays known
  const strangers = all.flatMap((entry) => partyIssue(entry) ?? [])
  const unreadable = new Set(strangers.map(({ entry }) => entry))
  const entries = all.filter(({ index }) => !unreadable.has(index))
  const references = new References(entries, now)
  return { ...read, bundle, flat: isObject(flat) ? flat : {}, places, around, entries, strangers, references }
}

/** Read for their names, and to find out which practitioner is meant. */
const PARTIES: ReadonlySet<string> = new Set(['Practitioner', 'PractitionerRole', 'Organization'])

function partyIssue({ type, index, resource }: Entry): EntryIssue | undefined {
  const found = PARTIES.has(type) ? unfit(type, resource) : undefined
  return found && { entry: index, ...found }
}

/** Types with a subject that give parts of a chart besides those that become records. */
const OTHERS: ReadonlySet<string> = new Set(['Consent', 'RelatedPerson', 'ExplanationOfBenefit', 'Binary'])

/** The keys of the patients that resources name and the bundle does not hold, for `MapOptions.stored`. */
export function outsidePatients({ entries, conflicting, references }: OpenedBundle): readonly string[] {
  const unread = conflicting.flat().flatMap((entry) => (entry.resource === undefined ? [] : [entry]))
  const keys = [...entries, ...unread].flatMap(({ type, resource }) =>
    isImported(type) || OTHERS.has(type)
      ? referencesTo(type, resource).flatMap((one) => references.outsidePatient(Reference.safeParse(one).data, resource)?.key ?? [])
      : [],
  )
  return [...new Set(keys)]
}

/** The references of a resource that can name a patient. A patient that they name must be the one of the chart. */
function referencesTo(type: string, resource: Entry['resource']): readonly unknown[] {
  const focus: unknown = type === 'Observation' ? resource['focus'] : undefined
  const contained: readonly unknown[] = Array.isArray(resource['contained']) ? resource['contained'] : []
  return [
    ...subjectElements(type).map((element) => resource[element]),
    ...(Array.isArray(focus) ? (focus as readonly unknown[]) : []),
    ...contained.map((one) => (isObject(one) && one['resourceType'] === 'Coverage' ? one['beneficiary'] : undefined)),
  ]
}
