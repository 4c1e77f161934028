import type { TypeName } from '../directives/coordinates.ts'
import type { MappedBundle, MappedPatient } from '../fhir/mapped-bundle.ts'
import { type NodeId, type PatientId, type RecordId, recordKey } from '../gateway/model/ids.ts'
import { encodeNodeId } from '../gateway/model/node-id.ts'
import type { NewRecord } from '../gateway/model/record.ts'
import type { SourceResult, WriteCounts } from '../gateway/model/source-result.ts'
import { add, type ImportReport } from './import-report.ts'

/** The findings of an import over all of its bundles and writes, apart from its entries and faults. */
export class ImportFindings {
  readonly #patients = new Set<PatientId>()
  /** The patients of which these files have the own resource. */
  readonly #own = new Set<PatientId>()
  /** The patients with a known user on their care team. */
  readonly #readable = new Set<PatientId>()
  readonly #records = new Map<string, number>()
  readonly #unknown = new Map<string, number>()
  readonly #leftOut = new Map<string, number>()
  readonly #unassigned = new Map<string, Set<PatientId>>()
  readonly #used = new Set<string>()
  readonly #closed = new Set<PatientId>()
  /** By node id, the patient records that other ones replace. */
  readonly #replaced = new Map<NodeId, NodeId>()
  readonly #written = { created: 0, updated: 0, unchanged: 0, removed: 0, moved: 0 }

  get patients(): number {
    return this.#patients.size
  }

  /** Records that were written or found unchanged. */
  get records(): number {
    const { created, updated, unchanged } = this.#written
    return created + updated + unchanged
  }

  mapped({ patients, unknown, leftOut, closed, replaced, practitioners }: MappedBundle): void {
    for (const { patient } of patients) this.#own.add(patient)
    for (const [type, times] of unknown) add(this.#unknown, type, times)
    for (const [what, times] of leftOut) add(this.#leftOut, what, times)
    for (const patient of closed) this.#closed.add(patient)
    for (const { patient, by } of replaced) this.#replaced.set(nodeIdOf(patient), nodeIdOf(by))
    for (const [practitioner, { assignments, patients: cared }] of practitioners) {
      for (const assignment of assignments) this.#used.add(assignment)
      if (assignments.length > 0) continue
      this.#unassigned.set(practitioner, new Set([...(this.#unassigned.get(practitioner) ?? []), ...cared]))
    }
  }

  /** @param isReadable whether a known user is on the care team */
  written(patient: MappedPatient, result: SourceResult, isReadable: boolean): void {
    this.changed(result)
    const records = writtenRecords(patient, result)
    if (records.length > 0) this.#patients.add(patient.patient)
    if (isReadable) this.#readable.add(patient.patient)
    for (const { ref } of records) add(this.#records, ref.type, 1)
  }

  changed({ created, updated, unchanged, removed = 0, moved = 0, closed }: SourceResult): void {
    this.#written.created += created
    this.#written.updated += updated
    this.#written.unchanged += unchanged
    this.#written.removed += removed
    this.#written.moved += moved
    for (const patient of closed) this.#closed.add(patient)
  }

  /** @param assigned the practitioners of `--assign` */
  report(assigned: Iterable<string>): Findings {
    return {
      patients: this.#patients.size,
      records: this.#records,
      written: this.#written satisfies Required<WriteCounts>,
      unknown: this.#unknown,
      leftOut: this.#leftOut,
      unassigned: new Map([...this.#unassigned].map(([practitioner, patients]) => [practitioner, patients.size])),
      unused: [...assigned].filter((practitioner) => !this.#used.has(practitioner)),
      unreadable: [...this.#patients].filter((patient) => this.#own.has(patient) && !this.#readable.has(patient)).length,
      closed: this.#closed.size,
      replaced: [...this.#replaced].map(([patient, by]) => ({ patient, by })),
    }
  }
}

type Findings = Pick<
  ImportReport,
  'patients' | 'records' | 'written' | 'unknown' | 'leftOut' | 'unassigned' | 'unused' | 'unreadable' | 'closed' | 'replaced'
>

/** The records of a patient without those of resources that the store did not take. */
function writtenRecords({ records, sources }: MappedPatient, { outdated, refused }: SourceResult): readonly NewRecord[] {
  const dropped = new Set([...outdated, ...refused.map(({ id }) => id)])
  if (dropped.size === 0) return records
  const left = new Set(sources.filter(({ id }) => dropped.has(id)).flatMap((source) => source.records.map(recordKey)))
  return records.filter(({ ref }) => !left.has(recordKey(ref)))
}

const nodeIdOf = (patient: PatientId): NodeId =>
  encodeNodeId({ type: 'Patient' as TypeName, patient, id: patient as string as RecordId })
