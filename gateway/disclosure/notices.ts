import { permissionFor } from '../decide/consent.ts'
import type { Consent } from '../model/consent.ts'
import type { Caller, Facts } from '../model/decision.ts'
import type { Instant } from '../model/ids.ts'
import type { SchemaPath } from '../../directives/coordinates.ts'
import type { PolicyTable, PurposeOfUse, RecordLabel, Role } from '../../directives/policy.ts'

/** The scope of a consent, as the recipient may know it. Times are ISO 8601; `until` is exclusive. */
export interface ConsentScope {
  readonly id: string
  /** The labels that the consent permits and the contract of the recipient admits. Other labels could reveal closed records. */
  readonly labels: readonly RecordLabel[]
  readonly actor?: string
  readonly roles?: readonly Role[]
  readonly purposes?: readonly PurposeOfUse[]
  readonly since?: string
  readonly until?: string
  /** Set if the consent is limited to certain records. Neither their ids nor their number is given: some of them may be closed. */
  readonly certainRecords?: true
}

/** A notice that must accompany disclosed values. Only a caller with a contract gets the consents that opened them. */
export interface Notice {
  readonly text: string
  readonly consents?: readonly ConsentScope[]
}

/** The notices of one answer: each text once, with each consent once. Patients can have consents with the same id. */
export class Notices {
  readonly #consents = new Map<string, Map<string, ConsentScope>>()

  add({ text, consents = [] }: Notice): void {
    const known = this.#consents.get(text) ?? new Map<string, ConsentScope>()
    this.#consents.set(text, known)
    for (const consent of consents) known.set(JSON.stringify(consent), consent)
  }

  all(): Notice[] {
    return [...this.#consents].map(([text, consents]) => ({
      text,
      ...(consents.size > 0 && { consents: [...consents.values()] }),
    }))
  }
}

/**
 * The notices that the answer must carry with a disclosed value, by the labels of its record and field. For a caller with a contract,
 * a notice names the consent that permitted the disclosure.
 *
 * @source 42 CFR 2.32(a) for the text, 2.32(b) for the scope of the consent
 */
export function noticesOf(
  { phi }: Pick<PolicyTable, 'phi'>,
  caller: Caller,
  { consent: { rules, given, record } }: Facts,
  path: SchemaPath,
  now: Instant,
): Notice[] {
  const labels = new Set<RecordLabel>([...(record?.labels ?? []), ...(phi.get(path)?.sensitivity ?? [])])
  return [...labels].flatMap((label): Notice[] => {
    const text = rules.get(label)?.notice
    if (text === undefined) return []
    const consent =
      caller.contract === undefined ? undefined : permissionFor(label, caller, { given, ...(record && { record }) }, now)
    return [{ text, ...(consent !== undefined && { consents: [scopeOf(consent, caller)] }) }]
  })
}

function scopeOf(consent: Consent, { contract }: Pick<Caller, 'contract'>): ConsentScope {
  const { id, labels = [], actor, roles, purposes, records, since, until } = consent
  return {
    id,
    labels: labels.filter((label) => contract?.sensitivities.has(label) === true),
    ...(actor !== undefined && { actor }),
    ...(roles !== undefined && { roles }),
    ...(purposes !== undefined && { purposes }),
    ...(since !== undefined && { since: new Date(since).toISOString() }),
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(records !== undefined && { certainRecords: true }),
  }
}
