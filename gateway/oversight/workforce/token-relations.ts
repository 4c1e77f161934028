import type { ComparisonToken } from '../../model/comparison.ts'
import type { Deadline } from '../../model/deadline.ts'
import type { PatientId, TenantId } from '../../model/ids.ts'
import type { ComparisonTable } from '../../store/comparisons.ts'
import { rowName } from '../../store/derived-rows.ts'
import type { StoredWorkforceRow, WorkforceTable } from '../../store/workforce.ts'
import type { Relation, RelationKind, Relations, WorkforceRelations } from '../anomalies/relations.ts'

/** A token of more patients says nothing about two of them: a tower, an avenue, the number of a nursing home. */
export const MAX_SHARED = 200
const PARALLEL = 32
const ROWS_AT_ONCE = 100

type Shared = Relation['shared'] extends ReadonlySet<infer Kind> ? Kind : never

/**
 * Relations by equal tokens of the workforce table and of the patients' comparison tokens. It has no key: it compares tokens and opens
 * nothing.
 *
 * The closest relation of a user and a patient counts:
 * - SELF: the patient is the user.
 * - FAMILY: the same address or telephone number.
 * - NEIGHBOR: the same street, and another address.
 *
 * A family name is compared only if the two have another token in common.
 */
export class TokenRelations implements WorkforceRelations {
  readonly #workforce: WorkforceTable
  readonly #comparisons: ComparisonTable
  readonly #tenant: TenantId

  constructor(workforce: WorkforceTable, comparisons: ComparisonTable, tenant: TenantId) {
    this.#workforce = workforce
    this.#comparisons = comparisons
    this.#tenant = tenant
  }

  /** @throws StoreUnavailable */
  async of(users: ReadonlySet<string>, deadline: Deadline): Promise<Relations> {
    const rows = await this.#workforce.rows(this.#tenant, deadline.signal)
    const asked = rows.filter(({ user }) => user !== undefined && users.has(user))
    const tokens = [
      ...rows.flatMap((row) => row.tokens.filter(({ kind }) => kind === 'PATIENT')),
      ...asked.flatMap((row) => row.tokens.filter(({ kind }) => kind !== 'PATIENT' && kind !== 'FAMILY_NAME')),
    ]
    const patients = await this.#patientsOf(tokens, deadline)
    const themselves = (row: StoredWorkforceRow): readonly PatientId[] =>
      row.tokens.flatMap((token) => (token.kind === 'PATIENT' ? (patients.get(textOf(token)) ?? []) : []))
    const vips = new Set(rows.filter(({ vip }) => vip).flatMap(themselves))
    const workers = new Set(rows.filter(({ user }) => user !== undefined).flatMap(themselves))
    const related = asked.map((row) => ({ row, shared: sharedWith(row, patients) }))
    await this.#addFamilyNames(related, deadline)
    const relations = related.flatMap(({ row: { user = '' }, shared }) =>
      [...shared].map(([patient, both]): Relation => ({ user, patient, kind: closest(both), shared: both })),
    )
    return { relations, workers, vips }
  }

  /** The patients of each token, by its text. A token of too many patients is left out. */
  async #patientsOf(tokens: readonly ComparisonToken[], deadline: Deadline): Promise<ReadonlyMap<string, readonly PatientId[]>> {
    const distinct = new Map(tokens.map((token) => [textOf(token), token]))
    const found = new Map<string, readonly PatientId[]>()
    await inParallel([...distinct], async ([text, token]) => {
      const patients = await this.#comparisons.patientsWith(this.#tenant, token, MAX_SHARED, deadline)
      if (patients.length <= MAX_SHARED) found.set(text, patients)
    })
    return found
  }

  async #addFamilyNames(related: readonly RelatedUser[], { signal }: Deadline): Promise<void> {
    const pairs = related.flatMap(({ row, shared }) =>
      row.tokens
        .filter(({ kind }) => kind === 'FAMILY_NAME')
        .flatMap((token) =>
          [...shared].map(([patient, both]) => ({ row: this.#comparisons.row(this.#tenant, token, patient), both })),
        ),
    )
    const groups = Array.from({ length: Math.ceil(pairs.length / ROWS_AT_ONCE) }, (_, at) =>
      pairs.slice(at * ROWS_AT_ONCE, (at + 1) * ROWS_AT_ONCE),
    )
    await inParallel(groups, async (group) => {
      const present = await this.#comparisons.present(
        group.map(({ row }) => row),
        signal,
      )
      for (const { row, both } of group) if (present.has(rowName(row))) both.add('FAMILY_NAME')
    })
  }
}

interface RelatedUser {
  readonly row: StoredWorkforceRow
  /** By patient. */
  readonly shared: ReadonlyMap<PatientId, Set<Shared>>
}

/** The patients with a token of a user, each with the kinds of equal tokens. */
function sharedWith(row: StoredWorkforceRow, patients: ReadonlyMap<string, readonly PatientId[]>): Map<PatientId, Set<Shared>> {
  const shared = new Map<PatientId, Set<Shared>>()
  for (const token of row.tokens) {
    for (const patient of patients.get(textOf(token)) ?? []) {
      shared.set(patient, (shared.get(patient) ?? new Set()).add(token.kind))
    }
  }
  return shared
}

function closest(shared: ReadonlySet<Shared>): RelationKind {
  if (shared.has('PATIENT')) return 'SELF'
  if (shared.has('ADDRESS') || shared.has('PHONE')) return 'FAMILY'
  return 'NEIGHBOR'
}

const textOf = ({ kind, token }: ComparisonToken): string => `${kind}#${token}`

async function inParallel<Work>(all: readonly Work[], act: (work: Work) => Promise<void>): Promise<void> {
  const queue = all.values()
  const worker = async (): Promise<void> => {
    for (const work of queue) await act(work)
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, all.length) }, worker))
}
