import {
  type Alteration,
  anotherField,
  fieldWithout,
  FULL,
  hasRole,
  isGrantOf,
  isResearch,
  keepBasis,
  misspelled,
  NO_GROUND,
  openDenied,
  opened,
  openedCaller,
  pick,
  RELATIONSHIPS,
  single,
  swapped,
  typeOf,
  VIEWS_OF_ONE_RANK,
} from './alterations.ts'
import { type FieldLines, PLAN } from './policy-text.ts'

const BY_KIND = {
  // the caller
  ROLE_WITHOUT_GRANT: openedCaller(({ policy, random }) => ({ roles: [pick([...policy.roles.keys()], random)] })),
  ROLE_THAT_DOES_NOT_EXIST: openedCaller(({ record, random }) => ({
    roles: [pick(misspelled('SUPERVISOR', record.roles[0]), random)],
  })),
  NO_ROLE: openedCaller(() => ({ roles: [] })),
  PURPOSE: openedCaller(({ random }) => ({
    purpose: pick(['TREAT', 'ETREAT', 'BTG', 'HPAYMT', 'HOPERAT', 'HRESCH', 'PATRQT', 'PUBHLTH'], random),
  })),
  PURPOSE_THAT_DOES_NOT_EXIST: openedCaller(({ record, random }) => ({
    purpose: pick(misspelled('CURIOSITY', record.purpose), random),
  })),
  PURPOSE_OF_A_SECOND_ROLE: openedCaller(({ record, policy, random }) => {
    const second = pick([...policy.roles.keys()], random) ?? ''
    return { roles: [...record.roles, second].toSorted(), purpose: pick(policy.roles.get(second)?.mayClaim ?? [], random) }
  }),
  NO_SECOND_FACTOR: openedCaller(({ record }) => (record.mfa ? { mfa: false } : undefined)),
  // view and outcome
  WIDER_VIEW: opened(({ record }) => (record.outcome === 'MASKED' ? FULL : undefined)),
  VIEW_OF_ANOTHER_KIND: opened(({ record, random }) =>
    record.outcome === 'MASKED'
      ? {
          view: pick(
            VIEWS_OF_ONE_RANK.filter((view) => view !== record.view),
            random,
          ),
        }
      : undefined,
  ),
  VIEW_THAT_DOES_NOT_EXIST: opened(({ record, random }) => ({ view: pick(misspelled('LAST9', record.view), random) })),
  MASKED_WITHOUT_VIEW: opened(({ record }) => (record.outcome === 'MASKED' ? { view: undefined } : undefined)),
  MASKED_AS_DISCLOSED: opened(({ record }) => (record.outcome === 'MASKED' ? { outcome: 'DISCLOSED' } : undefined)),
  DISCLOSED_WITHOUT_VIEW: opened(({ record }) =>
    record.outcome === 'MASKED' ? { outcome: 'DISCLOSED', view: undefined } : undefined,
  ),
  SWAPPED_OUTCOMES: { changesCaller: false, change: swapped },
  DENIED_BY_ROLE_OPENED: { changesCaller: false, change: (place) => single(place, openDenied(place, ['ROLE', 'PURPOSE'], true)) },
  DENIED_BY_ROLE_OPENED_WITHOUT_BASIS: {
    changesCaller: false,
    change: (place) => single(place, openDenied(place, ['ROLE', 'PURPOSE'], false)),
  },
  DENIED_BY_RELATIONSHIP_OPENED: {
    changesCaller: false,
    change: (place) => single(place, openDenied(place, ['RELATIONSHIP'], false)),
  },
  DENIED_OPENED_AS_MASKED: {
    changesCaller: false,
    change: (place) => {
      const members = openDenied(place, ['ROLE', 'PURPOSE'], true)
      return single(place, members && { ...members, outcome: 'MASKED', view: pick(VIEWS_OF_ONE_RANK, place.random) })
    },
  },
  DENIED_WITH_ANOTHER_OUTCOME_ALONE: {
    changesCaller: false,
    change: (place) => single(place, openDenied(place, ['ROLE', 'PURPOSE', 'RELATIONSHIP'], false) && { outcome: 'DISCLOSED' }),
  },
  // relationship
  RELATIONSHIP_OF_ANOTHER_RULE: opened(({ random }) => ({ basis: pick(RELATIONSHIPS, random) })),
  RELATIONSHIP_THAT_DOES_NOT_EXIST: opened(({ record, random }) => ({ basis: pick(misspelled('NEIGHBOR', record.basis), random) })),
  RELATIONSHIP_OF_LATER: opened(({ record }) => (record.since === undefined ? undefined : { since: '2031-01-01T00:00:00.000Z' })),
  CONSENT_IN_PLACE_OF_A_ROLE: opened((place) =>
    anotherField(place, fieldWithout(place, 'VALUE'), () => ({
      basis: 'CONSENT',
      since: undefined,
      limits: undefined,
      basisId: 'mmRBC0ybO2UUIpXJsZi3MA',
    })),
  ),
  CONSENT_WITHOUT_ITS_ID: opened(() => ({ basis: 'CONSENT', ...NO_GROUND })),
  NO_BASIS: opened(() => ({ basis: undefined, ...NO_GROUND })),
  // limits of a proxy
  LIMITS_WITHOUT_THE_CATEGORY: opened(({ record, policy }) => {
    const category = policy.fields.get(record.path)?.category
    const limits = record.limits?.map((scope) => ({ ...scope, categories: scope.categories.filter((one) => one !== category) }))
    return limits && { limits }
  }),
  LIMITS_OF_NOTHING: opened(({ record }) => (record.basis === 'BREAK_GLASS' ? undefined : { limits: [] })),
  LIMITS_OF_ANOTHER_CATEGORY: opened(({ record }) =>
    record.basis === 'BREAK_GLASS' ? undefined : { limits: [{ categories: ['NOTE'], labeled: true }] },
  ),
  FIELD_BEYOND_LIMITS: opened((place) => {
    const { record } = place
    const { limits } = record
    if (limits === undefined) return undefined
    const isOutside = ({ category }: FieldLines): boolean =>
      !limits.some(({ categories }) => categories.includes(category as never))
    return anotherField(place, (field, grant) => isOutside(field) && isGrantOf(grant, record), keepBasis)
  }),
  // break-glass
  BREAK_GLASS_WITHOUT_ITS_PURPOSE: opened(({ record }) =>
    record.purpose === 'BTG' ? undefined : { basis: 'BREAK_GLASS', ...NO_GROUND, basisId: 'AZpMnoIArq3v5mEoG7qkNA' },
  ),
  BREAK_GLASS_OF_A_CLOSED_FIELD: opened((place) =>
    place.record.basis === 'BREAK_GLASS'
      ? anotherField(place, (field) => !field.grants.some((grant) => isGrantOf(grant, place.record)), keepBasis)
      : undefined,
  ),
  BREAK_GLASS_OF_ANOTHER_ROLE: openedCaller(({ record, random }) =>
    record.basis === 'BREAK_GLASS'
      ? { roles: [pick(['BILLING', 'FRONT_DESK', 'PATIENT', 'RESEARCHER', 'ADMIN'], random)] }
      : undefined,
  ),
  BREAK_GLASS_BY_A_RULE_WITHOUT_IT: opened(({ record, policy, random }) => {
    if (record.basis !== 'BREAK_GLASS') return undefined
    const others = policy.fields.get(record.path)?.grants.filter(({ relationship }) => relationship !== 'CARE_TEAM') ?? []
    return { rule: pick(others, random)?.rule }
  }),
  BREAK_GLASS_WITHOUT_A_GRANT: opened(({ record }) => (record.basis === 'BREAK_GLASS' ? NO_GROUND : undefined)),
  CARE_TEAM_UNDER_BREAK_GLASS: opened(({ record }) =>
    record.basis === 'BREAK_GLASS' ? { basis: 'CARE_TEAM', ...NO_GROUND } : undefined,
  ),
  // research
  NO_STUDY: openedCaller(({ record }) => (isResearch(record) ? { study: undefined } : undefined)),
  NO_STUDY_AND_NO_BASIS_OF_IT: openedCaller(({ record }) =>
    isResearch(record) ? { study: undefined, basis: 'ORGANIZATION', basisId: undefined } : undefined,
  ),
  ANOTHER_STUDY: opened(({ record }) => (isResearch(record) ? { basisId: 'LAKESIDE-B2' } : undefined)),
  STUDY_WITHOUT_ITS_PROTOCOL: opened(({ record }) => (isResearch(record) ? { basisId: undefined } : undefined)),
  RESEARCH_OUTSIDE_OF_THE_STUDY: opened(({ record }) => (isResearch(record) ? { basis: 'ORGANIZATION', ...NO_GROUND } : undefined)),
  STUDY_OF_A_CALLER_WITHOUT_ONE: opened(({ record }) =>
    isResearch(record) ? undefined : { basis: 'STUDY', ...NO_GROUND, basisId: 'RIVERSIDE-A1C' },
  ),
  STUDY_BESIDE_RESEARCH: openedCaller(({ record }) => (isResearch(record) ? undefined : { study: 'RIVERSIDE-A1C' })),
  RESEARCHER_WITH_ANOTHER_ROLE: openedCaller(({ record, policy }) => {
    const grant = policy.fields.get(record.path)?.grants.find(({ roles }) => roles.includes('PHYSICIAN'))
    return isResearch(record) && grant ? { roles: ['PHYSICIAN', 'RESEARCHER'], ...FULL, rule: grant.rule } : undefined
  }),
  // rules and paths
  RULE_OF_ANOTHER_FIELD: opened(({ record, policy, random }) => {
    const rules = [...policy.fields.values()].flatMap(({ grants }) => grants).filter((grant) => isGrantOf(grant, record))
    return { rule: pick(rules, random)?.rule }
  }),
  RULE_OF_ANOTHER_ROLE: opened(({ record, policy, random }) => {
    const others = policy.fields.get(record.path)?.grants.filter((grant) => !isGrantOf(grant, record)) ?? []
    const grant = pick(others, random)
    return grant && { rule: grant.rule, basis: grant.relationship }
  }),
  RULE_THAT_DOES_NOT_EXIST: opened(({ record, random }) => ({
    rule: pick(misspelled(`${record.path}#${20 + random(70)}`, record.rule), random),
  })),
  NO_RULE: opened(() => ({ rule: undefined })),
  PATH_THAT_DOES_NOT_EXIST: opened(({ record, random }) => {
    const path = `${typeOf(record.path)}.${pick(['bloodType', 'passport', 'address', 'constructor', '__proto__'], random)}`
    return { path, rule: `${path}#1` }
  }),
  PATH_THAT_DOES_NOT_EXIST_BY_A_REAL_RULE: opened(({ record, random }) => ({
    path: pick(misspelled(`${record.path}History`, record.path), random),
  })),
  FIELD_OF_ANOTHER_ROLE: opened((place) => anotherField(place, fieldWithout(place, 'VALUE'))),
  EDGE_OF_ANOTHER_ROLE: opened((place) => anotherField(place, fieldWithout(place, 'EDGE'))),
  PARTNER_BEYOND_ITS_FIELDS: opened((place) =>
    hasRole(place.record, 'PARTNER')
      ? anotherField(
          place,
          (field, grant) => !field.grants.some((one) => isGrantOf(one, place.record)) && grant.relationship === 'ORGANIZATION',
        )
      : undefined,
  ),
  // an over-grant with a further fact that the log does not decide
  CONTRACT_IN_PLACE_OF_A_GRANT: openedCaller((place) => {
    const members = anotherField(place, fieldWithout(place, 'VALUE'))
    return members && { ...members, contract: 'ab'.repeat(32) }
  }),
  LIMITS_IN_PLACE_OF_A_GRANT: opened((place) => {
    const categories = [...new Set([...place.policy.fields.values()].map(({ category }) => category))]
    return anotherField(place, fieldWithout(place, 'VALUE'), ({ relationship }) => ({
      basis: relationship,
      limits: [{ categories, labeled: false }],
    }))
  }),
  // actions
  SEARCH_BY_A_MASKED_FIELD: opened(({ record }) => (record.outcome === 'MASKED' ? { ...FULL, action: 'SEARCH' } : undefined)),
  SEARCH_BY_A_FIELD_OF_ANOTHER_ROLE: opened((place) => {
    const members = anotherField(place, fieldWithout(place, 'VALUE'))
    return members && { ...members, ...FULL, action: 'SEARCH' }
  }),
  READ_BY_A_RULE_FOR_SEARCH: opened((place) =>
    anotherField(place, (_, grant) => !grant.actions.includes('READ') && isGrantOf(grant, place.record)),
  ),
  ACTION_WITHOUT_GRANT: opened(({ random }) => ({ action: pick(['EXPORT', 'UPDATE', 'DELETE', 'CREATE'], random) })),
  // roots with an own list of roles
  PLAN_WITHOUT_A_SECOND_FACTOR: {
    changesCaller: true,
    change: (place) =>
      place.record.outcome === 'DISCLOSED' && place.record.path === PLAN ? single(place, { mfa: false }) : undefined,
  },
  CALL_WITHOUT_A_SECOND_FACTOR: {
    changesCaller: true,
    change: (place) =>
      place.record.outcome === 'DISCLOSED' && place.policy.calls.has(place.record.path) ? single(place, { mfa: false }) : undefined,
  },
  CALL_OF_ANOTHER_ROLE: {
    changesCaller: true,
    change: (place) => {
      const { record, policy, random } = place
      const call = record.outcome === 'DISCLOSED' ? policy.calls.get(record.path) : undefined
      const others = [...policy.roles.keys()].filter((name) => call?.includes(name) === false)
      return others.length === 0 ? undefined : single(place, { roles: [pick(others, random)] })
    },
  },
} satisfies Record<string, Alteration>

/** A way in which a record exceeds the policy. */
export type OverGrantKind = keyof typeof BY_KIND

export interface Kind extends Alteration {
  readonly kind: OverGrantKind
}

export const KINDS: readonly Kind[] = Object.entries(BY_KIND).map(([kind, of]) => ({ kind: kind as OverGrantKind, ...of }))
