import * as z from 'zod'
import {
  IntegrityFailure,
  type PatientId,
  type RecordId,
  StoreUnavailable,
  type UpstreamEntry,
  type UpstreamQuestion,
  type UpstreamRecord,
  type UpstreamSystem,
  uuidOf,
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

/** Treatments of the practice server at `url`. */
export class PracticeServer implements UpstreamSystem {
  readonly #url: URL

  constructor(url: URL) {
    this.#url = url
  }

  /** The server returns only the requested fields, and `fields` has only granted ones. */
  async load({ tenant, records, fields, signal }: UpstreamQuestion): Promise<readonly UpstreamRecord[]> {
    const asked = records.map(({ patient, id }) => ({ client: uuidOf(patient), id: uuidOf(id) }))
    const { treatments } = await this.#ask(Found, 'treatments/query', { tenant, treatments: asked, fields }, signal)
    return treatments.map(({ id, client, version, ...values }) => ({
      id: treatmentIdOf(id),
      patient: clientIdOf(client),
      version,
      values: textsOf(values),
      // the practice server has no labels
      labels: [],
    }))
  }

  /** Reads all pages, because the server returns the oldest treatments first. An incomplete list is an error. */
  async list({ tenant, patient, signal }: Parameters<UpstreamSystem['list']>[0]): Promise<readonly UpstreamEntry[]> {
    const entries: UpstreamEntry[] = []
    let page: number | undefined = 0
    for (let pages = 0; page !== undefined; pages++) {
      if (pages === MAX_PAGES) throw new StoreUnavailable()
      const question = { tenant, client: uuidOf(patient), page }
      const listed: z.infer<typeof Listed> = await this.#ask(Listed, 'treatments/list', question, signal)
      for (const { id, version, performedOn } of listed.treatments)
        entries.push({ id: treatmentIdOf(id), version, date: performedOn, labels: [] })
      page = listed.next
      if (page === undefined && entries.length !== listed.total) throw new IntegrityFailure()
    }
    return entries
  }

  /** @throws StoreUnavailable if there is no valid answer; the error contains neither the request nor the response */
  async #ask<Answer>(shape: z.ZodType<Answer>, path: string, question: object, signal: AbortSignal): Promise<Answer> {
    let answer: unknown
    try {
      const response = await fetch(new URL(path, this.#url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(question),
        redirect: 'error',
        // the deadline of the gateway's request ends this request too
        signal,
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

/** Every value of a treatment is text; anything else violates the contract with the server. */
function textsOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const present = Object.entries(values).filter(([, value]) => value !== undefined && value !== null)
  for (const [, value] of present) if (typeof value !== 'string') throw new IntegrityFailure()
  return Object.fromEntries(present) as Readonly<Record<string, string>>
}

/** The gateway's id for a treatment's or client's UUID. */
export const treatmentIdOf = (uuid: string): RecordId => bytesOf(uuid) as RecordId
export const clientIdOf = (uuid: string): PatientId => bytesOf(uuid) as PatientId

const bytesOf = (uuid: string): string => Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')
