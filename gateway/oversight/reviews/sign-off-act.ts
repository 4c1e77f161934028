import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLOCK_TOLERANCE_MS, LINGER_MS } from '../../audit/verify/hour-limits.ts'
import { counted } from '../../model/counted.ts'
import { BadUserInput, FilterTooBroad, VersionConflict } from '../../model/failures.ts'
import type { AuditMutation, AuditWriting } from '../audit-mutation.ts'
import { enteredText, optionalText } from '../disclosures/entered-text.ts'
import { type AccessReview, reviewAccess, roleOf } from '../reports/access-review.ts'
import { reportSpan } from '../reports/report-span.ts'
import { type FindingDecision, type ReviewDecision, type SignOff, signOffRecord, signOffText } from './sign-off.ts'
import { signOffPayload } from './sign-off-payload.ts'

/** The argument of `signOffAccessReview`. */
export interface SignOffInput {
  readonly role?: string | null
  readonly from: string
  readonly to: string
  readonly digest: string
  readonly decision: ReviewDecision
  readonly note?: string | null
  readonly findings?: readonly FindingInput[] | null
}

interface FindingInput {
  readonly rule?: string | null
  readonly userId?: string | null
  readonly decision: ReviewDecision
  readonly note?: string | null
}

/** After this time, the log gets no further record of a span. */
const CLOSES_MS = LINGER_MS + CLOCK_TOLERANCE_MS
/** The longest span of a sign-off: two years, with a leap day. */
const MAX_SPAN_MS = 731 * 86_400_000
const MAX_FINDINGS = 50
/** The rules that a detail names. */
const MAX_SHOWN = 20
/** No id is longer. */
const MAX_ID = 256
const MAX_ATTEMPTS = 8
const MAX_PAUSE_MS = 80

/** `signOffAccessReview`: signs a review that was read, as long as the log and the policy still give the same one. */
export const signOffAccessReview: AuditMutation<{ readonly input: SignOffInput }> = {
  action: 'CREATE',
  run: async ({ input }, writing) => {
    const { signOff, isStored } = await signOffReview(input, writing)
    return { value: signOffPayload(signOff, writing.reviewSettings), count: 1, isStored }
  },
}

/**
 * Signs a review. If the caller's last sign-off of the span and role is the same, it stays the last one.
 *
 * @throws BadUserInput for a span that can still get records, and for a finding that the review does not have
 * @throws VersionConflict if the review has another digest by now; the errors of `reviewAccess`; AuditUnavailable
 */
async function signOffReview(input: SignOffInput, writing: AuditWriting): Promise<{ signOff: SignOff; isStored: boolean }> {
  const { reader, policy, now, by, requestId, act, commit, deadline } = writing
  const { digest, decision } = input
  const span = reportSpan(input)
  if (span.to + CLOSES_MS >= now || !/^[0-9a-f]{64}$/.test(digest))
    throw new BadUserInput({
      detail:
        '`to` is too recent, or `digest` is no SHA-256 in hex. Sign a span that has ended, with the `digest` of `accessReview`.',
    })
  if (span.to - span.from > MAX_SPAN_MS) throw new FilterTooBroad(['from', 'to'])
  const scope = { ...span, ...roleOf(policy, input.role) }
  const note = optionalText(input.note, 'TEXT')
  const findings = (input.findings ?? []).map(enteredFinding)
  if (findings.length > MAX_FINDINGS) throw new BadUserInput({ detail: `\`findings\` has more than ${MAX_FINDINGS} entries.` })
  const review = await reviewAccess(writing, scope)
  if (review.digest !== digest) throw new VersionConflict()
  requireFindings(review, findings)
  const signed: Signed = {
    ...scope,
    roles: [...policy.roles.keys()],
    policy: policy.digest,
    digest,
    decision,
    ...(note !== undefined && { note }),
    findings,
  }
  for (let attempt = 1; ; attempt++) {
    const before = await reader.signOffs.stored()
    const last = before.findLast((one) => one.by === by && isAbout(one, signed))
    if (last !== undefined && isSame(last, signed)) {
      await reader.signOffs.verify([last], deadline)
      return { signOff: last, isStored: false }
    }
    const nonce = randomBytes(16).toString('base64url')
    const signOff = { number: before.length + 1, at: now, by, requestId, ...signed, nonce }
    try {
      await commit([reader.signOffs.add(signOff)], signOffRecord(signOff, act))
      return { signOff, isStored: true }
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt === MAX_ATTEMPTS) throw error
      await sleep(Math.random() * MAX_PAUSE_MS)
    }
  }
}

function enteredFinding({ rule, userId, decision, note: entered }: FindingInput): FindingDecision {
  const note = optionalText(entered, 'NAME')
  const named = [rule, userId].flatMap((one) =>
    one === null || one === undefined ? [] : enteredText(one.slice(0, MAX_ID + 1), 'TEXT'),
  )
  if (named.length !== 1 || named.some((one) => one.length > MAX_ID))
    throw new BadUserInput({ detail: `A finding has either \`rule\` or \`userId\`, of ${MAX_ID} characters at most.` })
  const about = typeof rule === 'string' ? { rule } : { userId: userId ?? '' }
  return { ...about, decision, ...(note !== undefined && { note }) }
}

/** A finding that the review does not have. A command shows its choices to an operator, who may read the review. */
export class UnknownFinding extends BadUserInput {
  /** The rule or the user of the finding. */
  readonly given: string
  readonly rules: readonly string[]
  readonly users: readonly string[]
  constructor(given: string, rules: ReadonlySet<string>, users: ReadonlySet<string>) {
    super({ detail: () => findingDetail(rules, users) })
    this.given = given
    this.rules = [...rules]
    this.users = [...users]
  }
}

/** The rules are names of the policy. Ids of users are in the answer of `accessReview` alone: an error has none (P8). */
function findingDetail(rules: ReadonlySet<string>, users: ReadonlySet<string>): string {
  const shown = [...rules].slice(0, MAX_SHOWN)
  const more = rules.size > shown.length ? `, and ${rules.size - shown.length} more in \`neverUsed\`` : ''
  return [
    'A finding is not one of the review.',
    rules.size === 0 ? 'The review has no `rule`.' : `\`rule\` is one of: ${shown.join(', ')}${more}.`,
    users.size === 0 ? 'The review has no `userId`.' : `\`userId\` is one of the ${counted(users.size, 'user')} in \`outliers\`.`,
  ].join(' ')
}

/** Checks that each finding is one of the review, and none has two decisions. @throws BadUserInput */
function requireFindings({ neverUsed, outliers }: AccessReview, findings: readonly FindingDecision[]): void {
  const rules = new Set(neverUsed.map(({ rule }) => rule))
  const users = new Set(outliers.map(({ userId }) => userId))
  for (const { rule, userId = '' } of findings)
    if (rule === undefined ? !users.has(userId) : !rules.has(rule)) throw new UnknownFinding(rule ?? userId, rules, users)
  const names = findings.map(({ rule, userId }) => (rule === undefined ? `user ${userId}` : `rule ${rule}`))
  if (new Set(names).size < names.length) throw new BadUserInput({ detail: 'A finding has two decisions. Send each once.' })
}

/** What a person signs. */
type Signed = Omit<SignOff, 'number' | 'at' | 'by' | 'requestId' | 'nonce'>

const isAbout = (one: Signed, other: Signed): boolean => one.from === other.from && one.to === other.to && one.role === other.role

function isSame(signOff: SignOff, signed: Signed): boolean {
  const { number, at, by, requestId, nonce } = signOff
  return signOffText({ number, at, by, requestId, nonce, ...signed }) === signOffText(signOff)
}
