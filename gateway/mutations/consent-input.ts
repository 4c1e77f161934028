import type { PurposeOfUse, Role, Sensitivity } from '../../directives/policy.ts'
import type { Consent } from '../model/consent.ts'
import { BadUserInput } from '../model/failures.ts'
import type { Instant } from '../model/ids.ts'
import { spanOf } from './period-arguments.ts'

type Input = Readonly<Record<string, unknown>>

/** What a person states. The records are ids as the client sent them. */
export interface Statement {
  readonly content: Omit<Consent, 'id' | 'records'>
  readonly recordIds: readonly string[] | undefined
}

const EFFECTS = ['PERMIT', 'DENY'] as const
/** A FHIR identity of a person or an organization: `Practitioner/123`, `Organization/9`. */
const ACTOR = /^[A-Z][A-Za-z]{2,40}\/[A-Za-z0-9\-.]{1,64}$/
/** The records that one consent can name. */
const MAX_RECORDS = 20

const NO_SENSITIVITY = 'A permission names the sensitivities that it covers. Give at least one in `sensitivities`.'
const ACTOR_DETAIL = '`actor` is no FHIR identity. Write it as `Practitioner/123` or `Organization/123`.'
const ORDER_DETAIL = '`end` is not after `start`.'
const RECORDS_DETAIL = `A consent names at most ${MAX_RECORDS} records. Name the encounter that they belong to, or record several consents.`

/**
 * Reads a statement of consent. GraphQL has checked its members: each label, role and purpose is a value of its enum. Lists are sorted, so
 * that equal statements are equal texts.
 *
 * @throws BadUserInput
 */
export function readStatement({ effect: given, actor, start, end, ...lists }: Input): Statement {
  const labels = listOf(lists, 'sensitivities') as readonly Sensitivity[] | undefined
  const roles = listOf(lists, 'roles') as readonly Role[] | undefined
  const purposes = listOf(lists, 'purposes') as readonly PurposeOfUse[] | undefined
  const recordIds = listOf(lists, 'records')
  const effect = EFFECTS.find((one) => one === given)
  if (effect === undefined) throw new BadUserInput({ detail: '`effect` is neither PERMIT nor DENY.' })
  if (effect === 'PERMIT' && labels === undefined) throw new BadUserInput({ detail: NO_SENSITIVITY })
  if (actor !== undefined && actor !== null && (typeof actor !== 'string' || !ACTOR.test(actor)))
    throw new BadUserInput({ detail: ACTOR_DETAIL })
  if (recordIds !== undefined && recordIds.length > MAX_RECORDS) throw new BadUserInput({ detail: RECORDS_DETAIL })
  const since = spanOf(start, 'start')?.from as Instant | undefined
  const until = spanOf(end, 'end')?.end as Instant | undefined
  if (since !== undefined && until !== undefined && until <= since) throw new BadUserInput({ detail: ORDER_DETAIL })
  const content = {
    effect,
    ...(labels && { labels }),
    ...(typeof actor === 'string' && { actor }),
    ...(roles && { roles }),
    ...(purposes && { purposes }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  }
  return { content, recordIds }
}

/** A list without repetitions; undefined if it is left out. An empty one would apply to nothing. @throws BadUserInput */
function listOf(input: Input, name: string): readonly string[] | undefined {
  const given = input[name]
  if (given === undefined || given === null) return undefined
  if (!Array.isArray(given) || given.length === 0)
    throw new BadUserInput({
      detail: `\`${name}\` is empty, so the consent would apply to nothing. Leave it out, or name a value.`,
    })
  return [...new Set(given as string[])].toSorted()
}
