import type { Consent } from '../../../gateway/model/consent.ts'

// An independent model of the consent rules, written without the implementation: one question after the other, over plain lists.

export interface Asked {
  readonly fieldLabels: readonly string[]
  readonly recordLabels: readonly string[]
  readonly recordId: string
  readonly encounter: string | undefined
  readonly footing: string
  readonly user: string
  readonly organization: string | undefined
  readonly roles: readonly string[]
  readonly purpose: string
  readonly consents: readonly Consent[] | 'OUTAGE'
  readonly now: number
  /** What the contract of the caller says; undefined for a caller without a contract. */
  readonly contract?: ModelContract | undefined
}

export interface ModelContract {
  /** The FHIR identity of the recipient. */
  readonly recipient: string | undefined
  readonly labels: readonly string[]
  readonly roles: readonly string[]
}

/** The shipped schema's rules for each sensitivity. An unlisted sensitivity is closed. */
const NEEDS_PERMISSION = ['ETH', 'PSYTHPN']
const HONORS_DENIAL = ['PSY', 'HIV', 'GDIS', 'SDV', 'SEX']
const CLOSED_TO_EMERGENCIES = ['PSYTHPN']
const CLOSED_TO_THE_PATIENT = ['PSYTHPN', 'NOPAT', 'NOAUTH']
/** The relationships that open records with a confidentiality. Break-glass opens all of them. */
const OPENS_TO: Readonly<Record<string, readonly string[]>> = { R: ['CARE_TEAM', 'AUTHOR', 'SELF'], V: ['AUTHOR', 'SELF'] }
const MARKS = ['R', 'V', 'NOPAT', 'NOAUTH']

export function modelVerdict(asked: Asked): 'OPEN' | 'CLOSED' | 'UNKNOWN' {
  const labels = [...asked.fieldLabels, ...asked.recordLabels]
  const known = [...NEEDS_PERMISSION, ...HONORS_DENIAL, ...MARKS]
  const strange = labels.filter((label) => !known.includes(label))
  for (const label of labels) {
    if (asked.footing !== 'BREAK_GLASS' && OPENS_TO[label]?.includes(asked.footing) === false) return 'CLOSED'
  }
  const { contract } = asked
  if (contract !== undefined) for (const label of labels) if (!contract.labels.includes(label)) return 'CLOSED'
  const needing = [...labels.filter((label) => NEEDS_PERMISSION.includes(label)), ...strange]
  if (asked.footing === 'BREAK_GLASS') {
    if (strange.length > 0) return 'CLOSED'
    if (labels.some((label) => CLOSED_TO_EMERGENCIES.includes(label))) return 'CLOSED'
  }
  if (asked.footing === 'AUTHOR' && contract === undefined) return 'OPEN'
  if (asked.footing === 'SELF' || asked.footing === 'PROXY') {
    if (strange.length > 0 || labels.some((label) => CLOSED_TO_THE_PATIENT.includes(label))) return 'CLOSED'
    if (contract === undefined) return 'OPEN'
  }
  const { consents } = asked
  if (consents === 'OUTAGE') return needing.length > 0 ? 'UNKNOWN' : 'OPEN'
  for (const consent of consents) {
    if (consent.effect !== 'DENY' || !isAbout(consent, asked)) continue
    // the import did not understand the patient: an emergency is not stopped by it
    if (asked.footing === 'BREAK_GLASS' && consent.breakGlass === true) continue
    if (consent.labels === undefined) return 'CLOSED'
    for (const label of consent.labels) if (labels.includes(label)) return 'CLOSED'
  }
  for (const label of needing) {
    let permitted = false
    for (const consent of consents) {
      // the recipient must be named, and a role that the contract excludes does not act
      if (contract !== undefined && (consent.actor === undefined || consent.actor !== contract.recipient)) continue
      const acting = contract === undefined ? asked.roles : asked.roles.filter((role) => contract.roles.includes(role))
      if (consent.effect === 'PERMIT' && consent.labels !== undefined && isAbout(consent, { ...asked, roles: acting })) {
        for (const named of consent.labels) if (named === label) permitted = true
      }
    }
    if (!permitted) return 'CLOSED'
  }
  return 'OPEN'
}

function isAbout(consent: Consent, asked: Asked): boolean {
  const begun = consent.since === undefined || consent.since <= asked.now
  const lasts = consent.until === undefined || consent.until > asked.now
  const person = consent.actor === undefined || [asked.user, asked.organization, asked.contract?.recipient].includes(consent.actor)
  const role = consent.roles === undefined || consent.roles.some((one) => asked.roles.includes(one))
  const meant = ['BTG', 'ETREAT'].includes(asked.purpose) ? [asked.purpose, 'TREAT'] : [asked.purpose]
  const purpose = consent.purposes === undefined || consent.purposes.some((one) => meant.includes(one))
  const record = consent.records === undefined || consent.records.some((id) => id === asked.recordId || id === asked.encounter)
  return begun && lasts && person && role && purpose && record
}
