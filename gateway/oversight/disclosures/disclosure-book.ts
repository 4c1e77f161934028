import { createHash } from 'node:crypto'
import { gunzip, gzip } from 'node:zlib'
import { promisify } from 'node:util'
import * as z from 'zod'
import { AuditLogUnavailable } from '../../model/failures.ts'
import type { TenantId } from '../../model/ids.ts'
import { type DisclosureTable, type DisclosureWrite, MAX_NUMBER } from '../../store/disclosures.ts'
import type { RecipientTable } from '../../store/recipients.ts'
import { type Ledger, ledgerOf } from './ledger.ts'
import { type DisclosureRecipient, type LedgerEntry, parseEntry, parseStudy, type StudyDisclosures } from './ledger-entry.ts'
import { LedgerFull } from './ledger-full.ts'

/** The facts of a study, with the number of their version. */
export interface StudyVersion {
  readonly version: number
  readonly facts: StudyDisclosures
}

/** A request in the list of a tenant. */
export const ListedRequest = z.strictObject({
  id: z.string(),
  patient: z.string(),
  from: z.int(),
  to: z.int(),
  received: z.iso.date(),
  due: z.iso.date(),
  free: z.boolean(),
  extended: z.boolean(),
  withdrawn: z.boolean(),
  givenAt: z.int().optional(),
  givenBy: z.string().optional(),
})
export type ListedRequest = Readonly<z.infer<typeof ListedRequest>>

/** An accounting as it was given. */
export const GivenContent = z.strictObject({ accounting: z.unknown(), html: z.string() })

/** The recipient in the text of a contract. Its other members are of no account here. */
const ContractText = z.object({ recipient: z.object({ name: z.string().min(1), address: z.string().min(1) }) })

const compress = promisify(gzip)
const expand = promisify(gunzip)
/** Bytes of one item. An item of DynamoDB has at most 400 KB. */
const PART_BYTES = 350_000
/** A transaction has at most 4 MB. */
const MAX_PARTS = 10
/** An accounting that expands to more was not written here. */
const MAX_CONTENT_BYTES = 200_000_000

/**
 * The accounting of one tenant: no argument names another. What is stored is checked when it is read; if it does not fit its form or its
 * digest, each method throws AuditLogUnavailable. Each read throws StoreUnavailable.
 */
export class DisclosureBook {
  readonly #table: DisclosureTable
  readonly #recipients: RecipientTable
  readonly #tenant: TenantId

  constructor(table: DisclosureTable, recipients: RecipientTable, tenant: TenantId) {
    this.#table = table
    this.#recipients = recipients
    this.#tenant = tenant
  }

  async ledger(patient: string): Promise<Ledger> {
    const entries = await this.#table.entries(this.#tenant, patient)
    return checked(() => ledgerOf(entries.map(({ text }) => parseEntry(text))))
  }

  /** The write of the next entry. It fails if another writer added an entry since the ledger was read. @throws LedgerFull */
  add(patient: string, { length }: Ledger, entry: LedgerEntry): DisclosureWrite {
    if (length >= MAX_NUMBER) throw new LedgerFull()
    return this.#table.add(this.#tenant, patient, { number: length + 1, text: JSON.stringify(entry) })
  }

  async requests(): Promise<readonly ListedRequest[]> {
    const texts = await this.#table.requests(this.#tenant)
    return checked(() => texts.map((text) => ListedRequest.parse(JSON.parse(text))))
  }

  putRequest(request: ListedRequest): DisclosureWrite {
    return this.#table.putRequest(this.#tenant, request.id, JSON.stringify(request))
  }

  /** The facts in force of each study, by protocol. */
  async studies(): Promise<ReadonlyMap<string, StudyVersion>> {
    const items = await this.#table.studies(this.#tenant)
    return checked(
      () =>
        new Map(
          items.map(({ key, text }) => {
            const facts = parseStudy(text)
            return [facts.protocol, { version: Number(key.slice(key.lastIndexOf('#') + 1)), facts }]
          }),
        ),
    )
  }

  /** The write of the next version of a study's facts. It fails if another writer added one. @throws LedgerFull */
  addStudy(facts: StudyDisclosures, before: StudyVersion | undefined): DisclosureWrite {
    const number = (before?.version ?? 0) + 1
    if (number > MAX_NUMBER) throw new LedgerFull()
    return this.#table.addStudy(this.#tenant, facts.protocol, { number, text: JSON.stringify(facts) })
  }

  /**
   * The recipients of contracts by their digest. A contract without an entry is from before the accounting existed.
   *
   * @throws AuditLogUnavailable for a text that does not have its digest: its recipient would be another one
   */
  async recipients(digests: readonly string[]): Promise<ReadonlyMap<string, DisclosureRecipient>> {
    const texts = await this.#recipients.load(this.#tenant, digests)
    return checked(
      () =>
        new Map(
          [...texts].map(([digest, text]) => {
            if (sha256(text) !== digest) throw new TypeError('the text of a contract does not have its digest')
            const { name, address } = ContractText.parse(JSON.parse(text)).recipient
            return [digest, { name, address }]
          }),
        ),
    )
  }

  /** The content of an accounting as it was given. @param digest the digest in the ledger */
  async given(patient: string, number: number, digest: string): Promise<z.infer<typeof GivenContent>> {
    const bytes = await this.#table.given(this.#tenant, patient, number)
    try {
      const text = (await expand(bytes, { maxOutputLength: MAX_CONTENT_BYTES })).toString('utf8')
      if (sha256(text) !== digest) throw new TypeError('an accounting that was given does not have its digest')
      return GivenContent.parse(JSON.parse(text))
    } catch (cause) {
      throw new AuditLogUnavailable({ cause })
    }
  }

  /** The writes of an accounting as it is given, and its digest. @throws LedgerFull if it is too large for one transaction */
  async addGiven(
    patient: string,
    number: number,
    content: z.infer<typeof GivenContent>,
  ): Promise<{ readonly writes: readonly DisclosureWrite[]; readonly digest: string }> {
    const text = JSON.stringify(content)
    const bytes = await compress(text)
    const parts: Uint8Array[] = []
    for (let start = 0; start < bytes.length; start += PART_BYTES) parts.push(bytes.subarray(start, start + PART_BYTES))
    if (parts.length > MAX_PARTS) throw new LedgerFull()
    return { writes: this.#table.addGiven(this.#tenant, patient, number, parts), digest: sha256(text) }
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

function checked<Value>(read: () => Value): Value {
  try {
    return read()
  } catch (cause) {
    throw new AuditLogUnavailable({ cause })
  }
}
