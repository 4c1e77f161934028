import * as z from 'zod'
import type { CompiledPolicy } from '../../directives/compile.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import { isRefusedQuestion, reviewOf } from '../audit-schema.ts'
import type { AuditContext } from '../audit/entry.ts'
import type { ItemDraft } from '../audit/item-draft.ts'
import { ItemPacker } from '../audit/item-packer.ts'
import { type Env, openServices } from '../compose.ts'
import { jsonOf } from '../json-setting.ts'
import { type AccessRecord, REVIEWED_TYPE } from '../model/access-record.ts'
import { Deadline } from '../model/deadline.ts'
import type { Instant, TenantId } from '../model/ids.ts'
import type { Clock } from '../model/record.ts'
import { AnomalySettings } from '../oversight/anomalies/anomaly-settings.ts'
import type { AuditMutation } from '../oversight/audit-mutation.ts'
import type { AuditReader, AuditReading } from '../oversight/audit-reader.ts'
import type { Commit } from '../oversight/disclosures/change-ledger.ts'
import { AccessReviewSettings } from '../oversight/reviews/review-settings.ts'
import { UnknownTenant } from './open-store.ts'
import { operatorContext } from './operator-context.ts'
import { openOperatorReader } from './operator-reader.ts'

/** A question of an operator, as the log records it. */
interface OperatorQuestion {
  /** The root field of the auditor's API that asks the same: `fieldAccesses`. */
  readonly field: string
  /** The arguments, as ids and times. */
  readonly args: Readonly<Record<string, unknown>>
  /** The patient that the question is about. */
  readonly patient?: string | undefined
}

/** An answer, and the number of records, patients or rows in it. */
interface CountedAnswer<Answer> {
  readonly answer: Answer
  readonly count: number
}

/** The audit log of one tenant, open for the questions of an operator. */
export interface AuditReview {
  /**
   * Asks a question, and records the review in the same log before the answer returns.
   *
   * @throws the error of `read`; AuditUnavailable: the review is not recorded, so it has no answer
   */
  readonly ask: <Answer>(
    question: OperatorQuestion,
    read: (reading: AuditReading) => Promise<CountedAnswer<Answer>>,
  ) => Promise<Answer>
  /** Stores writes together with their audit record, or none of both. @throws VersionConflict, AuditUnavailable */
  readonly commit: Commit
  /**
   * Performs a mutation of the auditor's API as the operator. It leaves one record: that of its write, or of a review if there was
   * nothing to write.
   *
   * @throws the errors of the mutation; AuditUnavailable
   */
  readonly perform: <Arguments>(field: string, mutation: AuditMutation<Arguments>, args: Arguments) => Promise<unknown>
  /** For writes. A read through it leaves no record. */
  readonly reader: AuditReader
  readonly now: Clock
  readonly close: () => void
}

const Settings = z.object({
  PHI_ANOMALIES: jsonOf('PHI_ANOMALIES').pipe(AnomalySettings),
  PHI_ACCESS_REVIEWS: jsonOf('PHI_ACCESS_REVIEWS').pipe(AccessReviewSettings),
})

/** The time for reading, in milliseconds. A command waits longer than a request. */
const READ_MS = 300_000
/** The time for recording the review. */
const WRITE_MS = 30_000

/**
 * Opens the audit log of a tenant for an operator, whose account the log names.
 *
 * @param compiled the schema of the deployment and its policy
 * @throws UnknownTenant, NoSealedLog; ZodError for a missing variable, StoreUnavailable
 */
export async function openAuditReview(
  tenant: TenantId,
  { policy, schema }: Pick<CompiledPolicy, 'policy' | 'schema'>,
  env: Env,
): Promise<AuditReview> {
  const services = openServices(env)
  const { now, audit } = services
  let opened: ReturnType<typeof openOperatorReader> | undefined
  try {
    // a review of a tenant that does not exist would begin a log for it
    if (!(await services.keyring.hasTenant(tenant))) throw new UnknownTenant()
    opened = openOperatorReader(tenant, env, now)
  } catch (error) {
    services.close()
    throw error
  }
  const { reader, close } = opened
  const { PHI_ANOMALIES: anomalies, PHI_ACCESS_REVIEWS: reviewSettings } = Settings.parse(env)
  const newContext = (): AuditContext =>
    operatorContext(services, { tenant, client: 'phi-audit', operation: 'audit', policy: policy.digest })
  const itemOf = (access: AccessRecord, at: Instant, context: AuditContext): ItemDraft[] =>
    new ItemPacker(context).ofWrite([{ ...access, at }])
  const record = async (access: AccessRecord, context = newContext()): Promise<void> => {
    const at = now() as Instant
    await audit.append(itemOf(access, at, context), at + WRITE_MS)
  }
  const commit = async (writes: Parameters<Commit>[0], access: AccessRecord, context = newContext()): Promise<void> => {
    const at = now() as Instant
    await audit.commit(writes, itemOf(access, at, context), at + WRITE_MS)
  }
  const readingNow = (): AuditReading => {
    const deadline = new Deadline(now() + READ_MS, { now, monotonic: () => performance.now() })
    return { reader, policy, schema, anomalies, reviewSettings, now: now() as Instant, deadline, isPermitted: () => true }
  }
  return {
    now,
    reader,
    ask: async ({ field, args, patient }, read) => {
      const asked = { ...reviewOf(field, args), ...(patient !== undefined && { patient }) }
      let counted: Awaited<ReturnType<typeof read>>
      try {
        counted = await read(readingNow())
      } catch (error) {
        if (!isRefusedQuestion(error)) await record({ ...asked, outcome: 'UNAVAILABLE', reason: 'STORE' })
        throw error
      }
      await record({ ...asked, outcome: 'REVIEWED', count: counted.count })
      return counted.answer
    },
    commit: async (writes, access) => await commit(writes, access),
    perform: async (field, { action, run }, args) => {
      const context = newContext()
      const act = { path: `${REVIEWED_TYPE}.${field}` as SchemaPath, action }
      const { requestId, user: by } = context
      const { value, patient, count, isStored } = await run(args, {
        ...readingNow(),
        by,
        requestId,
        act,
        commit: async (writes, access) => await commit(writes, access, context),
      })
      const asked = {
        path: act.path,
        action: 'REVIEW',
        outcome: 'REVIEWED',
        count,
        ...(patient !== undefined && { patient }),
      } as const
      if (!isStored) await record(asked, context)
      return value
    },
    close: () => {
      close()
      services.close()
    },
  }
}
