import type { SchemaPath } from '../directives/coordinates.ts'
import { UNKNOWN_LABEL } from '../directives/record-labels.ts'
import type { RecordLabel } from '../directives/policy.ts'
import type { PatientId } from '../gateway/model/ids.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { SourceResource } from '../gateway/model/source.ts'
import { type Entry, type EntryVersion, type IdentifiedEntry, isIdentified, type ReadEntries } from './bundle.ts'
import { isObject } from './object.ts'
import { mapCareTeam } from './care-team.ts'
import { BundleCharts } from './bundle-charts.ts'
import { BundleMembers } from './bundle-members.ts'
import { type Chart, newChart, patientOf, selfMembership } from './chart.ts'
import { BundleConsents } from './bundle-consents.ts'
import { isInactive } from './consent-resource.ts'
import { holdsCoverage, mapContainedCoverages } from './coverage.ts'
import { mapDiagnosticReport } from './diagnostic-report.ts'
import { EntryAccount } from './entry-account.ts'
import { EntrySources } from './entry-sources.ts'
import { type MappingIssue, ISSUES, WHOLE_BUNDLE, mappingIssue, isMappingIssue } from './mapping-issue.ts'
import type { MappedBundle, MapOptions } from './mapped-bundle.ts'
import { forbiddenIn, unfit, unfitBundle, unfitEntry } from './inspect.ts'
import type { CodeLabels } from './labels.ts'
import { isImported, leftOutFor } from './left-out.ts'
import { type OpenedBundle, openBundle } from './opened-bundle.ts'
import { currentIdentifiers } from './patient-identifiers.ts'
import { mapPatient } from './patient.ts'
import { PatientLinks } from './patient-links.ts'
import { labeled } from './record.ts'
import type { References } from './references.ts'
import { representationOf } from './related-person.ts'
import { labelsOfBundle, securityLabelsOf } from './security-labels.ts'
import { MAPPINGS, READ_BY_OTHERS, refusalOf } from './resource-mappings.ts'
import { PATIENT_IDENTIFIER } from './stored-patients.ts'
import { type SubjectContext, subjectElement } from './subject.ts'
import { unresolvedOf } from './unresolved.ts'

/**
 * Maps one FHIR R4 bundle to records and memberships. Pure: the same bundle and ids give the same result.
 *
 * Never throws for what stands in the bundle. A resource that cannot be read becomes a fault with its entry, and the rest is
 * mapped; a fault holds no value of the input (P8).
 *
 * @source https://hl7.org/fhir/R4/bundle.html
 */
export function mapBundle(bundle: unknown, options: MapOptions): MappedBundle {
  return mapOpened(openBundle(bundle, options.now), options)
}

/** Maps a bundle that is open, as `mapBundle` does. */
export function mapOpened(opened: OpenedBundle, options: MapOptions): MappedBundle {
  const { bundle, places, entries, deleted, conflicting, superseded, strangers, count } = opened
  const account = new EntryAccount([...opened.faults, ...strangers])
  const mapping = new Mapping(options, opened, account)
  const others = entries.filter((entry) => !mapping.takePatient(entry))
  for (const entry of others) mapping.take(entry)
  for (const entry of superseded) account.superseded(entry)
  for (const entry of deleted) account.leftOut(entry, 'deleted')
  for (const versions of conflicting) for (const entry of versions) mapping.takeConflicting(entry)
  const marks = labelsOfBundle(isObject(bundle) ? bundle : {}, entries, options.labels)
  return { ...mapping.result({ count, entries, deleted, conflicting, marks }), places }
}

type Resource = Readonly<Record<string, unknown>>

/** The entries of a bundle when all are mapped. */
interface ReadBundle extends Pick<ReadEntries, 'count' | 'entries' | 'deleted' | 'conflicting'> {
  /** The labels that all records get. */
  readonly marks: readonly RecordLabel[]
}

class Mapping {
  readonly #options: MapOptions
  readonly #sources: EntrySources
  readonly #labels: CodeLabels
  readonly #references: References
  readonly #account: EntryAccount
  readonly #charts: BundleCharts
  readonly #consents: BundleConsents
  /** Entries with a name that is not shown. */
  readonly #hidden = new Set<Entry>()
  /** Read where a document leads to them, which may be later. */
  readonly #binaries: Entry[] = []
  readonly #members: BundleMembers

  /** The issue around the resource of an entry: of the whole bundle, or of the entry. */
  readonly #around: (entry: Entry) => MappingIssue | undefined

  constructor(options: MapOptions, opened: OpenedBundle, account: EntryAccount) {
    const { flat, around, references } = opened
    this.#options = options
    this.#charts = new BundleCharts(opened, options)
    const ofBundle = unfitBundle(flat)
    const raw: readonly unknown[] = Array.isArray(flat['entry']) ? flat['entry'] : []
    this.#around = ({ index }) => ofBundle ?? around[index] ?? unfitEntry(raw[index])
    this.#sources = new EntrySources(options.idFor)
    this.#labels = options.labels
    this.#references = references
    this.#account = account
    this.#members = new BundleMembers(options, references, this.#sources)
    this.#consents = new BundleConsents({
      references,
      idFor: options.idFor,
      assign: options.assign,
      sensitivities: options.labels.sensitivities,
      charts: this.#charts,
      account,
      sources: this.#sources,
    })
  }

  /** Whether the entry was a patient: patients come first, whatever their place, as the others are filed under them. */
  takePatient(entry: Entry): boolean {
    if (entry.type !== 'Patient') return false
    if (!this.#readable(entry)) return true
    const record = mapPatient(entry, {
      ...this.#options,
      note: (issue) => {
        this.#account.fault(entry, issue)
      },
    })
    if (isMappingIssue(record)) this.#account.fault(entry, record)
    else {
      const { patient } = record.ref
      this.#charts.add(entry, newChart(entry, patient, labeled(record, this.#marksOf(entry))))
      this.#account.recorded(entry, record)
      this.#sources.record(entry, record)
      const parts = this.#sources.of(entry, patient)
      parts.memberships.push(selfMembership(entry))
      const { idFor, now } = this.#options
      const identifiers = currentIdentifiers(entry.resource, now)
      parts.identifiers.push(...identifiers.map(({ key, ...valid }) => ({ id: idFor(PATIENT_IDENTIFIER, key), ...valid })))
    }
    return true
  }

  take(entry: Entry): void {
    if (READ_BY_OTHERS.has(entry.type)) {
      this.#account.readByOthers(entry)
      return
    }
    const { type } = entry
    if (type === 'Consent') {
      this.#takeConsent(entry)
      return
    }
    if (type === 'RelatedPerson') {
      this.#takeRelatedPerson(entry)
      return
    }
    if (type === 'Binary') {
      this.#binaries.push(entry)
      return
    }
    if (!isImported(type)) {
      const refused = refusalOf(entry)
      if (refused !== undefined) {
        this.#account.fault(entry, refused)
        return
      }
      this.#account.notImported(entry)
      const isError = entry.resource['status'] === 'entered-in-error'
      if (type === 'ExplanationOfBenefit' && !isError && holdsCoverage(entry)) this.#takeHeldCoverages(entry)
      return
    }
    const told = leftOutFor(type, entry.resource)
    if (told !== undefined) {
      this.#account.leftOut(entry, told)
      return
    }
    if (!this.#readable(entry)) return
    const chart = this.#chartOf(entry)
    if (chart === undefined) return
    if (type === 'CareTeam') this.#takeCareTeam(entry, chart)
    else if (type === 'DiagnosticReport') this.#takeReport(entry, chart)
    else this.#keep(entry, chart, MAPPINGS[type](entry, this.#contextOf(entry, chart)))
    if (type === 'Claim' && holdsCoverage(entry)) this.#takeHeldCoverages(entry)
  }

  result({ count, entries, deleted, conflicting, marks }: ReadBundle): Omit<MappedBundle, 'places'> {
    if (marks.includes(UNKNOWN_LABEL)) this.#account.fault({ index: WHOLE_BUNDLE }, mappingIssue('Bundle', ISSUES.label))
    for (const entry of this.#binaries) {
      if (this.#references.isFollowed(entry)) this.#account.readByOthers(entry)
      else this.#account.notImported(entry)
    }
    const links = this.#links()
    const { stored } = this.#charts
    const charted = new Set([...this.#charts.own.values(), ...stored].map(({ patient }) => patient))
    const outcomes = this.#account.outcomes(count)
    const sources = this.#sources.byPatient([...entries, ...conflicting.flat().filter((entry) => entry.resource !== undefined)])
    const sourcesOf = (patient: PatientId): readonly SourceResource[] => sources.get(patient) ?? []
    const chartOf = (chart: Chart) => patientOf(chart, marks, this.#consents.changesOf(chart.patient), sourcesOf(chart.patient))
    return {
      tenant: this.#options.tenant,
      patients: [...this.#charts.own.values()].map(chartOf),
      stored: [
        ...stored.map(chartOf),
        ...this.#consents
          .besides(charted)
          .map((one) => ({ ...one, records: [], memberships: [], sources: sourcesOf(one.patient) })),
      ],
      withdrawn: this.#sources.withdrawn(entries, deleted, conflicting, outcomes),
      closed: this.#consents.closed,
      replaced: links.replaced(),
      unknown: this.#account.unknown,
      leftOut: this.#account.omitted,
      faults: this.#account.faults(),
      outcomes,
      practitioners: this.#members.practitioners,
    }
  }

  /** Links the patients' own records, once all patients are known. */
  #links(): PatientLinks {
    const links = new PatientLinks(this.#references, this.#options.idFor)
    for (const [entry, { patient }] of this.#charts.own) {
      for (const issue of links.add(entry, patient)) this.#account.fault(entry, issue)
    }
    for (const { records } of this.#charts.own.values()) if (records[0] !== undefined) records[0] = links.linked(records[0])
    return links
  }

  /** @param held the coverage that the resource contains, if that is the record */
  #keep(entry: Entry, chart: Chart, record: NewRecord | MappingIssue, held?: Resource): void {
    if (isMappingIssue(record)) {
      this.#account.fault(entry, record)
      return
    }
    // what others bring into a record, the diagnosis of a claim and the name of a drug, stands in its values
    const values = [...record.values.values()]
    // the coverage that a claim holds tells nothing of what was claimed
    const codes = held === undefined ? this.#labels.labelsOf(entry.resource, values) : this.#labels.labelsOf(values)
    chart.records.push(labeled(record, [...codes, ...this.#marksOf(entry, held)]))
    this.#account.recorded(entry, record)
    if (held === undefined) this.#sources.record(entry, record)
    if (this.#hidden.delete(entry)) this.#account.fault(entry, mappingIssue(entry.type, ISSUES.display))
    if (held === undefined) for (const issue of unresolvedOf(entry, this.#references)) this.#account.fault(entry, issue)
    if (entry.type === 'Encounter') this.#members.encounter(entry, chart)
  }

  /** The labels that the security labels of a resource give its records. An unknown one is a fault. */
  #marksOf(entry: Entry, resource: Resource = entry.resource): readonly RecordLabel[] {
    const marks = securityLabelsOf(resource, this.#labels)
    if (marks.includes(UNKNOWN_LABEL)) this.#account.fault(entry, mappingIssue(entry.type, ISSUES.label))
    return marks
  }

  #takeReport(entry: IdentifiedEntry, chart: Chart): void {
    const record = mapDiagnosticReport(entry, this.#contextOf(entry, chart))
    if (record === 'without text') this.#account.leftOut(entry, 'without text')
    else this.#keep(entry, chart, record)
  }

  #takeConsent(entry: Entry): void {
    // the status of a consent that has ended is enough, whatever else it says
    const isTrusted = isIdentified(entry) && (this.#around(entry) ?? forbiddenIn(entry.type, entry.resource)) === undefined
    const isOver = isTrusted && isInactive(entry.resource['status'])
    this.#consents.take(entry, this.#readable(entry) || isOver)
  }

  /** An entry of a resource of which no version is the newest. A consent like this closes its patient. */
  takeConflicting(entry: EntryVersion): void {
    if (entry.type === 'Consent' && entry.resource !== undefined) this.#consents.take(entry, false)
  }

  #takeRelatedPerson(entry: Entry): void {
    const isReadable = this.#readable(entry)
    const chart = entry.id === undefined ? undefined : this.#chartOf(entry)
    if (chart === undefined || entry.id === undefined) return
    const birthDate = chart.records[0]?.values.get('Patient.birthDate' as SchemaPath)
    const { periods, leftOut, issue } = isReadable
      ? representationOf(entry.resource, typeof birthDate === 'string' ? birthDate : undefined, this.#options.minors)
      : { periods: [] }
    // the patient's age is not known here: what an earlier import read of an unchanged resource is still right
    if (issue !== undefined && chart.entry === undefined) {
      this.#account.fault(entry, issue)
      this.#sources.unfiled(entry)
      return
    }
    this.#account.access(entry, chart.patient)
    if (leftOut !== undefined) this.#account.leftOut(entry, leftOut)
    if (issue !== undefined) this.#account.fault(entry, issue)
    // who acts for the patient no more, or as can be read no more, has none: what an earlier import gave them ends by it
    chart.proxies.set(`RelatedPerson/${entry.id}`, periods)
    const proxy = { relationship: 'PROXY', fhirUser: `RelatedPerson/${entry.id}`, periods } as const
    this.#sources.of(entry, chart.patient).memberships.push(proxy)
  }

  #takeHeldCoverages(entry: Entry): void {
    if (!this.#readable(entry)) return
    const chart = this.#chartOf(entry)
    if (chart === undefined) return
    for (const { resource, found } of mapContainedCoverages(entry, this.#contextOf(entry, chart))) {
      const isFault = isMappingIssue(found)
      if (!isFault) this.#sources.shared(entry, found)
      // several resources contain the same coverage
      if (isFault || !chart.coverages.has(found.ref.id)) this.#keep(entry, chart, found, resource)
      if (!isFault) chart.coverages.add(found.ref.id)
    }
  }

  #contextOf(entry: Entry, { patient, entry: subject }: Chart): SubjectContext {
    const note = (issue: MappingIssue): void => {
      this.#account.fault(entry, issue)
    }
    const { idFor, now } = this.#options
    const omit = (what: string): void => {
      this.#account.omit(what)
    }
    const labelsOf = (resource: Resource): readonly RecordLabel[] => this.#marksOf(entry, resource)
    const patientAt = (reference: string | undefined, from: Resource) => this.#charts.patientAt(reference, from)
    const hide = (): void => {
      this.#hidden.add(entry)
    }
    return { patient, subject, references: this.#references, patientAt, idFor, now, note, hide, omit, labelsOf }
  }

  #takeCareTeam(entry: IdentifiedEntry, chart: Chart): void {
    const { patient, records } = chart
    const { idFor, assign, now } = this.#options
    const team = mapCareTeam(entry, { patient, references: this.#references, idFor, assign, now })
    if (isMappingIssue(team)) {
      this.#account.fault(entry, team)
      return
    }
    const marks = this.#marksOf(entry)
    this.#account.access(entry, patient)
    for (const record of team.records) {
      records.push(labeled(record, marks))
      this.#account.recorded(entry, record)
      this.#sources.record(entry, record)
    }
    this.#members.team(entry, chart, team)
    for (const one of team.issues) this.#account.fault(entry, one)
  }

  /** The chart of the patient that a resource is about. A resource about nobody is a fault. */
  #chartOf(entry: Entry): Chart | undefined {
    const chart = this.#charts.of(entry)
    if (chart === undefined) {
      this.#account.fault(entry, mappingIssue(`${entry.type}.${subjectElement(entry.type)}`, ISSUES.patient))
      this.#sources.unfiled(entry)
    }
    return chart
  }

  #readable(entry: Entry): entry is IdentifiedEntry {
    const found = isIdentified(entry)
      ? (this.#around(entry) ?? unfit(entry.type, entry.resource))
      : mappingIssue(`${entry.type}.id`, entry.confused?.why ?? ISSUES.id)
    if (found) this.#account.fault(entry, found)
    return found === undefined
  }
}
