import { type GrantLine, grantLines } from '../../directives/grant-lines.ts'
import { AuditLogUnavailable, Failure, OperationTooCostly, StoreUnavailable } from '../model/failures.ts'
import type { PatientId, RecordId } from '../model/ids.ts'
import { encodeNodeId } from '../model/node-id.ts'
import type { AuditReading } from './audit-reader.ts'
import { type ItemProof, proveItem } from './log/item-proof.ts'
import type { RecordedAccess } from './recorded-access.ts'

/** The reason why a record has no line of the schema. */
export type RuleLineAbsence = 'NO_RULE' | 'OTHER_POLICY' | 'UNKNOWN_RULE'

/** The type `AccessProof` of the schema. */
export interface AccessProof {
  readonly position: number
  readonly treeSize: number
  readonly proof: string
  readonly checkpoint: string
  readonly item: string
}

/** 16 bytes as base64url. */
const PATIENT = /^[\w-]{22}$/

/** The most items that one root field proves. Each takes tens of reads of objects. */
export const MAX_PROOFS = 8

/**
 * The evidence of a record: the line of the schema that decided, and the proof that the log holds the record.
 *
 * One object serves one root field. It reads only what the query selects, and each item once.
 */
export class AccessEvidence {
  readonly #reading: Pick<AuditReading, 'reader' | 'policy' | 'schema' | 'deadline'>
  #lines: ReadonlyMap<string, GrantLine> | undefined
  readonly #proofs = new Map<string, Promise<AccessProof | undefined>>()

  constructor(reading: Pick<AuditReading, 'reader' | 'policy' | 'schema' | 'deadline'>) {
    this.#reading = reading
  }

  /**
   * The id of the record's patient at `/graphql`, for a caller that may know the patient there; undefined without a patient. The keyed hash of
   * an id that led to nothing has the same form, and leads to nothing.
   */
  patientNode({ patient }: RecordedAccess): string | undefined {
    const { records } = this.#reading.policy
    const type = [...records.values()].find((record) => record.patient === 'id')?.type
    if (patient === undefined || type === undefined || !PATIENT.test(patient)) return undefined
    return encodeNodeId({ type, patient: patient as PatientId, id: patient as RecordId })
  }

  /** The line with its place, `schema/clinical/patient.graphql:12 @minimumNecessary(...)`, or the reason why there is none. */
  ruleLine({ rule, policy }: RecordedAccess): { readonly text: string } | { readonly absence: RuleLineAbsence } {
    if (rule === undefined) return { absence: 'NO_RULE' }
    // a rule is a position in the schema: another schema can have another line there
    if (policy !== this.#reading.policy.digest) return { absence: 'OTHER_POLICY' }
    this.#lines ??= grantLines(this.#reading.schema)
    const found = this.#lines.get(rule)
    if (found === undefined) return { absence: 'UNKNOWN_RULE' }
    return { text: `${found.source.name}:${found.line} ${found.sdl.replaceAll(/\s+/g, ' ')}` }
  }

  /**
   * The proof of the record's item; undefined if no checkpoint includes the item.
   *
   * @throws OperationTooCostly for more than `MAX_PROOFS` items; AuditLogUnavailable
   */
  async proof({ lane, sequence, time }: RecordedAccess): Promise<AccessProof | undefined> {
    const key = `${lane}/${sequence}`
    let proof = this.#proofs.get(key)
    if (proof === undefined) {
      if (this.#proofs.size === MAX_PROOFS)
        throw new OperationTooCostly({ detail: `An answer has the proofs of ${MAX_PROOFS} items at most. Request a smaller page.` })
      proof = this.#prove({ lane, sequence, time: Date.parse(time) })
      this.#proofs.set(key, proof)
    }
    return await proof
  }

  async #prove(item: Parameters<typeof proveItem>[1]): Promise<AccessProof | undefined> {
    const { reader, deadline } = this.#reading
    try {
      const proven = await proveItem(reader.log, item, deadline)
      return proven === 'NOT_SEALED' ? undefined : proofOf(proven)
    } catch (cause) {
      throw cause instanceof Failure && !(cause instanceof StoreUnavailable) ? cause : new AuditLogUnavailable({ cause })
    }
  }
}

const proofOf = ({ position, size, proof, checkpoint, line }: ItemProof): AccessProof => ({
  position,
  treeSize: size,
  proof,
  checkpoint,
  item: line,
})
