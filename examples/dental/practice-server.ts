import * as z from 'zod'
import {
  type Deadline,
  type FoundRecord,
  IntegrityFailure,
  type Json,
  type ListedPage,
  type ListPosition,
  type ListRequest,
  type LoadOptions,
  newestFirst,
  type PatientId,
  type RecordId,
  type RecordRef,
  type OpeningCounter,
  type RecordSource,
  type SchemaPath,
  StoreUnavailable,
  type TenantId,
} from '../../gateway/index.ts'

// The practice server keeps treatments and has a REST API. Its ids of clients and treatments are UUIDs: 16 bytes, like the ids
// of the gateway. Requests are POSTs with the ids in the body, because access logs would contain an id in a URL.

const Found = z.object({
  treatments: z.array(z.looseObject({ id: z.uuid(), client: z.uuid(), version: z.int().positive() })),
})
const Listed = z.object({
  treatments: z.array(z.object({ id: z.uuid(), version: z.int().positive(), performedOn: z.iso.date() })),
  total: z.int().nonnegative(),
  next: z.int().optional(),
})

/** A client with more pages of treatments gets an error, not an incomplete list. */
const MAX_PAGES = 50

/** Loads treatments from the practice server at `url`. */
export class PracticeServer implements RecordSource {
  readonly #url: URL

  constructor(url: URL) {
    this.#url = url
  }

  async load(
    tenant: TenantId,
    refs: readonly RecordRef[],
    paths: ReadonlySet<SchemaPath>,
    { deadline }: LoadOptions,
  ): Promise<readonly FoundRecord[]> {
    const wanted = new Map(refs.map((ref) => [uuidOf(ref.id), ref]))
    // the server returns only the requested fields, and `paths` has only granted ones
    const fields = [...paths].map(fieldOf)
    const treatmentsAsked = refs.map(({ patient, id }) => ({ client: uuidOf(patient), id: uuidOf(id) }))
    const { treatments } = await this.#ask(Found, 'treatments/query', { tenant, treatments: treatmentsAsked, fields }, deadline)
    return treatments.flatMap((treatment) => {
      const ref = wanted.get(treatment.id)
      // drop treatments that were not requested, and those of another client
      if (ref === undefined || uuidOf(ref.patient) !== treatment.client) return []
      return [found(ref, treatment.version, valuesOf(treatment, paths))]
    })
  }

  /** Reads all pages, because the server returns the oldest treatments first. An incomplete list is an error. */
  async list(
    tenant: TenantId,
    { patient, size, after, filter }: ListRequest,
    _counter: OpeningCounter,
    deadline: Deadline,
  ): Promise<ListedPage> {
    const entries: { position: ListPosition; version: number }[] = []
    let page: number | undefined = 0
    for (let pages = 0; page !== undefined; pages++) {
      if (pages === MAX_PAGES) throw new StoreUnavailable()
      const question = { tenant, client: uuidOf(patient), page }
      const listed: z.infer<typeof Listed> = await this.#ask(Listed, 'treatments/list', question, deadline)
      for (const { id, version, performedOn } of listed.treatments) {
        entries.push({ position: { date: momentOf(performedOn), id: treatmentIdOf(id) }, version })
      }
      page = listed.next
      if (page === undefined && entries.length !== listed.total) throw new IntegrityFailure()
    }
    const { since = -Infinity, until = Infinity, code, category } = filter
    const matching = entries
      .filter(({ position }) => after === undefined || newestFirst(after, position) < 0)
      .filter(({ position }) => Date.parse(position.date) >= since && Date.parse(position.date) < until)
      // treatments have neither a code nor a category, so such a filter matches none
      .filter(() => code === undefined && category === undefined)
      .toSorted((a, b) => newestFirst(a.position, b.position))
    // treatments have no sensitivities, so no item is left out
    return { items: matching.slice(0, size), leftOut: [], more: matching.length > size }
  }

  /** @throws StoreUnavailable if there is no valid answer; the error contains neither the request nor the response */
  async #ask<Answer>(shape: z.ZodType<Answer>, path: string, question: object, deadline: Deadline): Promise<Answer> {
    let answer: unknown
    try {
      const response = await fetch(new URL(path, this.#url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(question),
        redirect: 'error',
        // the deadline of the gateway's request ends this request too
        signal: deadline.signal,
      })
      if (response.ok) answer = await response.json()
    } catch (cause) {
      throw new StoreUnavailable({ cause })
    }
    const read = shape.safeParse(answer)
    if (!read.success) throw new StoreUnavailable()
    return read.data
  }
}

function found(ref: RecordRef, version: number, values: ReadonlyMap<SchemaPath, Json>): FoundRecord {
  return {
    ref,
    open: (counter) => {
      counter.metadata++
      return {
        version,
        metadata: { open: {}, references: {} },
        maxBytes: (path) => {
          const value = values.get(path)
          return value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value))
        },
        value: (path) => {
          const value = values.get(path)
          if (value !== undefined) counter.fields++
          return value
        },
      }
    },
  }
}

/** Returns the requested values that are present, and drops everything else. */
function valuesOf(treatment: Readonly<Record<string, unknown>>, paths: ReadonlySet<SchemaPath>): ReadonlyMap<SchemaPath, Json> {
  const values = new Map<SchemaPath, Json>()
  for (const path of paths) {
    const value = treatment[fieldOf(path)]
    // every value of this type is text; anything else violates the contract with the server
    if (typeof value === 'string') values.set(path, value)
    else if (value !== undefined && value !== null) throw new IntegrityFailure()
  }
  return values
}

/** The server's name of a field: `tooth` for `Treatment.tooth`. */
const fieldOf = (path: SchemaPath): string => path.slice(path.indexOf('.') + 1)

const momentOf = (date: string): string => new Date(date).toISOString()

/** The gateway's id for a treatment's or client's UUID. */
export const treatmentIdOf = (uuid: string): RecordId => bytesOf(uuid) as RecordId
export const clientIdOf = (uuid: string): PatientId => bytesOf(uuid) as PatientId

const bytesOf = (uuid: string): string => Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')

function uuidOf(id: RecordId | PatientId): string {
  const hex = Buffer.from(id, 'base64url').toString('hex')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
