import type { GraphQLResolveInfo } from 'graphql'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Trail } from '../audit/trail.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { canonicalText } from '../crypto/padded-text.ts'
import { idempotencyToken } from '../crypto/tokens.ts'
import type { RequestScope } from '../disclosure/request-scope.ts'
import type { AccessRecord } from '../model/access-record.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { BadUserInput, keyOverdue, storeOverdue, VersionConflict } from '../model/failures.ts'
import { type Instant, recordKey, type RecordRef } from '../model/ids.ts'
import type { Json } from '../model/record.ts'
import type { EarlierResult, IdempotencyTable } from '../store/idempotency.ts'
import type { ChartChange, RecordChangePort } from '../store/record-changes.ts'
import { rootOf } from './access-rights.ts'
import { inTurn } from './change-attempts.ts'
import type { ChangeTurns } from './change-turns.ts'
import { ChangedRecord } from './changed-record.ts'

interface CommitParts {
  readonly caller: Caller
  readonly now: Instant
  readonly policy: PolicyTable
  readonly keyring: Keyring
  readonly trail: Trail
  readonly deadline: Deadline
  readonly turns: ChangeTurns
}

/** Tokens of an idempotency key and of the arguments that came with it. */
interface Once {
  readonly key: string
  readonly argumentsToken: string
}

/** A change whose values are checked and whose rights are decided. */
interface DecidedChange {
  readonly chart: Omit<ChartChange, 'access'>
  readonly ref: RecordRef
  /** The audit records, without the version that the change makes. */
  readonly written: readonly AccessRecord[]
  /** A retraction has none. */
  readonly once?: Once
}

/** The services of a commit. */
interface CommitServices {
  readonly port: RecordChangePort
  readonly idempotency: IdempotencyTable
}

const OTHER_ARGUMENTS =
  'The idempotency key belongs to an earlier call with other arguments. Send a new key for a new change, and the same arguments for a retry.'
const NO_REFERENCE =
  'A referenced record is not in the chart of the patient. Take its id from an earlier answer about this patient.'

/** Commits changes of records, each once for its idempotency key. */
export class RecordCommit {
  readonly #parts: CommitParts
  readonly #scope: RequestScope

  constructor(parts: CommitParts, scope: RequestScope) {
    this.#parts = parts
    this.#scope = scope
  }

  /** The tokens of an idempotency key. A key belongs to one user, client and mutation. @throws KeyUnavailable */
  async once(key: string, args: Readonly<Record<string, unknown>>, { fieldName }: GraphQLResolveInfo): Promise<Once> {
    const { caller, keyring, deadline } = this.#parts
    const lookup = await deadline.wait(() => keyring.purposeKey(caller.tenant, 'lookup'), keyOverdue)
    const owner = [caller.user, caller.client ?? '', fieldName]
    // objects of GraphQL have no prototype, which canonical JSON does not accept
    const plain = JSON.parse(JSON.stringify(args)) as Json
    return {
      key: idempotencyToken(lookup, [...owner, key]),
      argumentsToken: idempotencyToken(lookup, [...owner, canonicalText(plain)]),
    }
  }

  /**
   * Commits a change with its audit. A record that left the chart gives null and an error entry.
   *
   * @throws VersionConflict with the current version if the record has another version than expected; BadUserInput
   * @throws StoreUnavailable, KeyUnavailable, IntegrityFailure, AuditUnavailable, Erased
   */
  async commit(services: CommitServices, change: DecidedChange, info: GraphQLResolveInfo): Promise<ChangedRecord | null> {
    return await inTurn(this.#parts, change.ref.patient, async () => await this.#attempt(services, change, info))
  }

  async #attempt(
    { port, idempotency }: CommitServices,
    { chart, ref, written, once }: DecidedChange,
    info: GraphQLResolveInfo,
  ): Promise<ChangedRecord | null> {
    const { caller, policy, now, deadline, trail } = this.#parts
    const { tenant } = caller
    const earlier = once && (await deadline.wait(() => idempotency.find(tenant, once.key, now, deadline.signal), storeOverdue))
    if (earlier !== undefined && once !== undefined) return this.#repeated(earlier, once, info)
    const prepared = await deadline.wait(() => port.prepare(tenant, policy, { ...chart, access: [] }), storeOverdue)
    switch (prepared.kind) {
      case 'STALE':
        throw new VersionConflict({ currentVersion: prepared.current })
      case 'NO_REFERENCE':
        throw new BadUserInput({ detail: NO_REFERENCE })
      case 'GONE':
        this.#scope.errors.notFound(info.path, recordKey(ref))
        return null
      case 'PREPARED':
        break
    }
    const { items, version } = prepared
    const remembered = once && idempotency.put(tenant, once.key, { ref, version, argumentsToken: once.argumentsToken }, now)
    await trail.commit(
      [...items, ...(remembered === undefined ? [] : [remembered])],
      ...written.map((record) => ({ ...record, recordVersion: version })),
    )
    this.#scope.targets.forget(ref)
    return new ChangedRecord(ref, version)
  }

  /** A retry changes nothing: the answer reads the record under the rights of now. */
  #repeated({ ref, version, argumentsToken }: EarlierResult, sent: Once, info: GraphQLResolveInfo): ChangedRecord {
    if (argumentsToken !== sent.argumentsToken) throw new BadUserInput({ detail: OTHER_ARGUMENTS })
    const { patient, type, id } = ref
    const at = { patient, recordType: type, recordId: id, recordVersion: version, path: rootOf(info) }
    this.#scope.recorder.recordOnce(`${rootOf(info)} ${recordKey(ref)}`, { ...at, action: 'UPDATE', outcome: 'ABSENT' })
    return new ChangedRecord(ref, version)
  }
}
