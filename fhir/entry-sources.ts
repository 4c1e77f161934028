import type { PatientId, RecordRef } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type {
  SourceIdentifier,
  SourceMembership,
  SourceResource,
  SourceVersion,
  WithdrawnResource,
} from '../gateway/model/source.ts'
import { type DeletedEntry, type Entry, type EntryVersion, isIdentified } from './bundle.ts'
import { holdsCoverage } from './coverage.ts'
import type { EntryOutcome } from './entry-account.ts'
import { unfit } from './inspect.ts'
import { isImported } from './left-out.ts'
import { type IdFor, contentDigest } from './record.ts'
import { latestVersion } from './versions.ts'

/** The parts of a chart that follow from one entry, while its bundle is mapped. */
interface Parts {
  readonly patient: PatientId
  readonly records: RecordRef[]
  readonly shared: RecordRef[]
  readonly memberships: SourceMembership[]
  readonly identifiers: SourceIdentifier[]
}

/** Resources that give parts of a chart besides the types that become records. */
const OTHERS: ReadonlySet<string> = new Set(['Patient', 'Consent', 'RelatedPerson', 'ExplanationOfBenefit'])

/** Collects the parts of charts by the entries that they follow from, so that a later import finds them by the resource. */
export class EntrySources {
  readonly #idFor: IdFor
  readonly #parts = new Map<number, Parts>()
  /** Entries of patients that neither the bundle contains nor an earlier import has stored. */
  readonly #unfiled = new Set<number>()

  constructor(idFor: IdFor) {
    this.#idFor = idFor
  }

  /** The entry gives something to this patient, even if it is no record: a consent. */
  of(entry: Entry, patient: PatientId): Parts {
    const known = this.#parts.get(entry.index) ?? { patient, records: [], shared: [], memberships: [], identifiers: [] }
    this.#parts.set(entry.index, known)
    return known
  }

  record(entry: Entry, { ref }: NewRecord): void {
    this.of(entry, ref.patient).records.push(ref)
  }

  /** A record that other resources may give too. */
  shared(entry: Entry, { ref }: NewRecord): void {
    this.of(entry, ref.patient).shared.push(ref)
  }

  unfiled(entry: Entry): void {
    this.#unfiled.add(entry.index)
  }

  /** The resources with parts, by their patient. */
  byPatient(entries: readonly Entry[]): ReadonlyMap<PatientId, readonly SourceResource[]> {
    const all = entries.flatMap((entry) => {
      const parts = this.#parts.get(entry.index)
      if (parts === undefined || !isIdentified(entry)) return []
      const { type, index, id, version } = entry
      const { patient, records, shared, memberships, identifiers } = parts
      const more = identifiers.length > 0 && { identifiers }
      return [
        [
          patient,
          {
            type,
            entry: index,
            id: this.#idFor(type, id),
            version,
            digest: digestOf(entry),
            records,
            shared,
            memberships,
            ...more,
          },
        ] as const,
      ]
    })
    return new Map([...Map.groupBy(all, ([patient]) => patient)].map(([patient, own]) => [patient, own.map(([, one]) => one)]))
  }

  /**
   * The resources that no chart has from now on.
   *
   * @param conflicting the versions of each resource of which none is the newest
   */
  withdrawn(
    entries: readonly Entry[],
    deleted: readonly DeletedEntry[],
    conflicting: readonly (readonly EntryVersion[])[],
    outcomes: readonly EntryOutcome[],
  ): readonly WithdrawnResource[] {
    const ofEntries = entries.flatMap((entry) => {
      if (this.#parts.has(entry.index) || entry.id === undefined || !givesParts(entry.type)) return []
      const reason = this.#reasonOf(entry, outcomes[entry.index])
      return reason === undefined ? [] : [this.#withdrawnResource(entry, entry.id, entry.version, digestOf(entry), reason)]
    })
    const ofDeleted = deleted
      .filter(({ type }) => givesParts(type))
      .map((one) => this.#withdrawnResource(one, one.id, one.version, '', 'RETRACTED'))
    const ofConflicting = conflicting.flatMap((versions) => {
      const [first] = versions
      if (first?.id === undefined || !givesParts(first.type) || versions.some(({ index }) => this.#parts.has(index))) return []
      return [this.#withdrawnResource(first, first.id, latestVersion(versions), '', 'UNREADABLE')]
    })
    return [...ofEntries, ...ofDeleted, ...ofConflicting]
  }

  #withdrawnResource(
    { type, index }: Pick<Entry, 'type' | 'index'>,
    id: string,
    version: SourceVersion,
    digest: string,
    reason: WithdrawnResource['reason'],
  ): WithdrawnResource {
    return { type, id: this.#idFor(type, id), version, digest, reason, entry: index }
  }

  #reasonOf(entry: Entry, outcome: EntryOutcome | undefined): WithdrawnResource['reason'] | undefined {
    const unread = this.#unfiled.has(entry.index) ? 'UNFILED' : 'UNREADABLE'
    if (outcome?.kind === 'leftOut') return 'RETRACTED'
    if (outcome?.kind === 'issue') return unread
    if (outcome?.kind !== 'notImported') return undefined
    // of a type that is not imported, only the contained coverages are in a chart
    return holdsCoverage(entry) && entry.resource['status'] !== 'entered-in-error' ? unread : 'RETRACTED'
  }
}

const givesParts = (type: string): boolean => isImported(type) || OTHERS.has(type)

/** Empty for a resource without a canonical form. */
const digestOf = ({ type, resource }: Entry): string => (unfit(type, resource) === undefined ? contentDigest(resource) : '')
