import type { GraphQLResolveInfo } from 'graphql'
import type { Coordinate } from '../../directives/coordinates.ts'
import type { RecordSigner } from '../crypto/record-signer.ts'
import { KeyUnavailable, keyOverdue } from '../model/failures.ts'
import type { RecordSignature, SignedStatement } from '../model/signature.ts'
import type { RecordView } from './record-view.ts'
import type { Recording, RequestIdentity } from './request-parts.ts'

/** A signature as the API shows it. */
interface ShownSignature {
  readonly valid: boolean
  /** The FHIR identity of the signer. */
  readonly signer: string
  readonly signedAt: string
}

interface SignatureParts extends Pick<RequestIdentity, 'caller' | 'deadline'>, Pick<Recording, 'errors' | 'failures' | 'counter'> {
  /** Undefined: no record can be signed, and no signature verified. */
  readonly signer?: RecordSigner
}

/** The signatures of records. No value is opened to verify one. */
export class RecordSignatures {
  readonly #parts: SignatureParts

  constructor(parts: SignatureParts) {
    this.#parts = parts
  }

  /**
   * The signature of a record; null without one. If the key cannot be read, null and an error entry.
   *
   * Research receives none: the time of a signature is a date of the patient (45 CFR 164.514(b)(2)(i)(C)).
   *
   * @throws Erased
   */
  async shown(record: RecordView, coordinate: Coordinate, place: GraphQLResolveInfo['path']): Promise<ShownSignature | null> {
    const { caller, errors, failures, counter } = this.#parts
    const { signature } = record
    if (signature === undefined || caller.study !== undefined) return null
    try {
      const { signer, signedAt } = signature.statement
      return { valid: await this.isValid(record, signature), signer, signedAt }
    } catch (error) {
      failures.classify(error)
      counter.unavailable++
      errors.unavailable(coordinate, record.key, place)
      return null
    }
  }

  /**
   * Whether the signature is of this record and its present content.
   *
   * @throws KeyUnavailable
   */
  async isValid(record: RecordView, signature: RecordSignature): Promise<boolean> {
    const { caller, deadline } = this.#parts
    const { statement } = signature
    const { type, patient, id } = record.ref
    const isOfRecord =
      statement.tenant === caller.tenant && statement.type === type && statement.patient === patient && statement.id === id
    const signer = this.#signer()
    const isSigned = await deadline.wait(async () => await signer.verifies(signature), keyOverdue)
    return isSigned && isOfRecord && statement.sealedDigest === record.sealedDigest
  }

  /** @throws KeyUnavailable */
  async sign(statement: SignedStatement): Promise<RecordSignature> {
    const signer = this.#signer()
    return await this.#parts.deadline.wait(async () => await signer.sign(statement), keyOverdue)
  }

  #signer(): RecordSigner {
    const { signer } = this.#parts
    if (signer === undefined) throw new KeyUnavailable()
    return signer
  }
}
