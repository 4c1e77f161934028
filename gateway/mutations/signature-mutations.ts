import { getNamedType, type GraphQLResolveInfo } from 'graphql'
import type { SchemaPath, TypeName } from '../../directives/coordinates.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import { authorRelationship } from '../access/author.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { contentDigest } from '../crypto/signed-content.ts'
import type { RecordView } from '../disclosure/record-view.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller, Denial } from '../model/decision.ts'
import { BadUserInput, StoreUnavailable, VersionConflict } from '../model/failures.ts'
import type { Instant, RecordRef } from '../model/ids.ts'
import type { Json, RecordMetadata } from '../model/record.ts'
import type { SignedStatement } from '../model/signature.ts'
import type { IdempotencyTable } from '../store/idempotency.ts'
import type { RecordChange, RecordChangePort } from '../store/record-changes.ts'
import { rootOf } from './access-rights.ts'
import { orUnavailable } from './change-attempts.ts'
import type { ChangeTurns } from './change-turns.ts'
import { RecordCommit } from './record-commit.ts'
import { type RecordWriting, versionOf } from './record-mutations.ts'

interface SignatureMutationParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly keyring: Keyring
  readonly trail: Trail
  readonly deadline: Deadline
  readonly turns: ChangeTurns
  readonly records?: RecordWriting
}

/** A schema signs records of a type that nobody may change. `signingFault` refuses such a schema before it is served. */
class NotSignable extends Error {
  override readonly name = 'NotSignable'
}

const OTHER_SOURCE = 'The source of the record takes no signature.'

/**
 * Signs records. A signature is of one version: it is stored in the sealed metadata of the next version, whose values keep their seals. The
 * record, its history, its index and the audit record are stored in one transaction.
 */
export class SignatureMutations {
  readonly #parts: SignatureMutationParts
  readonly #scope: RequestScope
  readonly #commits: RecordCommit

  constructor(parts: SignatureMutationParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
    this.#commits = new RecordCommit(parts, scope)
  }

  /**
   * Signs a record as its author. The author must be able to read each value. A repeated call changes nothing.
   *
   * @returns null after an error entry: NOT_FOUND, FIELD_UNAVAILABLE, or UNAUTHORIZED_FIELD_OR_TYPE
   * @throws BadUserInput, VersionConflict, Erased, AuditUnavailable, NotSignable
   */
  async sign({ id, expectedVersion }: Readonly<Record<string, unknown>>, info: GraphQLResolveInfo): Promise<RecordRef | null> {
    const type = getNamedType(info.returnType).name as TypeName
    const write = this.#parts.policy.writes.get(type)
    if (write === undefined) throw new NotSignable()
    return await orUnavailable(this.#scope, type, info, async () => {
      const expected = versionOf(expectedVersion)
      const ref = this.#scope.placeOf(String(id), type)
      const { targets } = this.#scope
      const found = await targets.recordOf(ref, new Set(), info)
      if (found === null || !this.#isPermitted(found, info)) return null
      if (await this.#isSigned(found, expected)) return this.#repeated(found, info)
      if (found.version !== expected) throw new VersionConflict({ currentVersion: found.version })
      const record = await targets.recordOf(ref, new Set(write.paths), info)
      const values = record && this.#valuesOf(record, write.paths, info)
      return record && values && (await this.#signed(record, values, info))
    })
  }

  /** Only the author signs, and never by break-glass. @throws Erased */
  #isPermitted(record: RecordView, info: GraphQLResolveInfo): boolean {
    const { caller } = this.#parts
    const { author } = record
    const isAuthor = authorRelationship.ofRecord?.(caller, author === undefined ? {} : { author }) === true
    const reason = caller.purpose === 'BTG' ? 'PURPOSE' : isAuthor ? undefined : 'RELATIONSHIP'
    if (reason === undefined) return true
    const { errors, recorder } = this.#scope
    const { patient, type, id } = record.ref
    const path = rootOf(info)
    const denial: Denial = { outcome: 'DENIED', reason, breakGlass: false }
    errors.record(path, record.key, { outcome: 'DENIED', denial }, info.path)
    const at = { patient, recordType: type, recordId: id, recordVersion: record.version, path, action: 'UPDATE' } as const
    recorder.recordOnce(`${path} ${record.key}`, { ...at, outcome: 'DENIED', reason })
    return false
  }

  /** Whether the caller has signed this version, or signed it by an earlier call with the same arguments. @throws KeyUnavailable */
  async #isSigned(record: RecordView, expected: number): Promise<boolean> {
    const { signature } = record
    if (signature === undefined || signature.statement.user !== this.#parts.caller.user) return false
    const { version } = signature.statement
    const isRetry = expected === version && record.version === version + 1
    return (expected === record.version || isRetry) && (await this.#scope.signatures.isValid(record, signature))
  }

  /** A signature covers all values, and the signer has read each of them. @returns null after the error entries */
  #valuesOf(record: RecordView, paths: readonly SchemaPath[], info: GraphQLResolveInfo): ReadonlyMap<SchemaPath, Json> | null {
    const values = new Map<SchemaPath, Json>()
    let isWhole = true
    for (const path of paths) {
      const outcome = record.outcomeAt(path)
      if (outcome?.outcome === 'DISCLOSED') values.set(path, outcome.value)
      else if (outcome?.outcome !== 'ABSENT') {
        isWhole = false
        // a masked value is not the signed one
        const denial: Denial = { outcome: 'DENIED', reason: 'ROLE', breakGlass: false }
        const refused = outcome === undefined || outcome.outcome === 'MASKED' ? ({ outcome: 'DENIED', denial } as const) : outcome
        this.#scope.errors.record(path, record.key, refused, info.path)
      }
    }
    return isWhole ? values : null
  }

  async #signed(record: RecordView, values: ReadonlyMap<SchemaPath, Json>, info: GraphQLResolveInfo): Promise<RecordRef | null> {
    const { caller, now } = this.#parts
    const { ref, version, sealedDigest, author: signer } = record
    if (sealedDigest === undefined || signer === undefined) throw new BadUserInput({ detail: OTHER_SOURCE })
    const signedAt = new Date(now).toISOString()
    const statement: SignedStatement = {
      statement: 'phi-gateway signature v1',
      tenant: caller.tenant,
      patient: ref.patient,
      type: ref.type,
      id: ref.id,
      version,
      user: caller.user,
      signer,
      signedAt,
      digest: contentDigest(values, record.signedMetadata),
      sealedDigest,
    }
    const signature = await this.#scope.signatures.sign(statement)
    const patch = {
      ref,
      values: new Map<SchemaPath, Json>(),
      from: [],
      metadataOf: (former: RecordMetadata) => ({ ...former, change: { user: caller.user, at: signedAt }, signature }),
    }
    const change: RecordChange = { kind: 'UPDATE', expected: version, patch }
    const written: AccessRecord = {
      patient: ref.patient,
      recordType: ref.type,
      recordId: ref.id,
      path: `${ref.type}.signature` as SchemaPath,
      action: 'UPDATE',
      outcome: 'WRITTEN',
      basis: 'AUTHOR',
    }
    const chart = { patient: ref.patient, isNew: false, records: [change], references: [] }
    const done = await this.#commits.commit(this.#services(ref), { chart, ref, written: [written] }, info)
    return done && ref
  }

  #repeated({ ref, version }: RecordView, info: GraphQLResolveInfo): RecordRef {
    const { patient, type, id } = ref
    const path = rootOf(info)
    const at = { patient, recordType: type, recordId: id, recordVersion: version, path, action: 'UPDATE' } as const
    this.#scope.recorder.recordOnce(`${path} ${id}`, { ...at, outcome: 'ABSENT' })
    return ref
  }

  #services({ type }: RecordRef): { readonly port: RecordChangePort; readonly idempotency: IdempotencyTable } {
    const { records } = this.#parts
    const port = records?.portOf(type)
    if (records === undefined || port === undefined) throw new StoreUnavailable()
    return { port, idempotency: records.idempotency }
  }
}
