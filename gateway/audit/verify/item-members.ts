import type { Form } from './member-forms.ts'

/**
 * The members of an audit item's text, by their names in an export. Short names keep the item of a typical read within 1 KiB, which
 * is one write unit. The format is `docs/audit-log.md`, section "An item".
 */

interface Member {
  readonly short: string
  readonly form: Form
}

const plain = (short: string): Member => ({ short, form: 'PLAIN' })

/** Members that are the same for all records of an item. */
export const CONTEXT: Readonly<Record<string, Member>> = {
  app: plain('ap'),
  appVersion: plain('av'),
  authTime: { short: 'at', form: 'INSTANT' },
  client: plain('c'),
  contract: { short: 'ct', form: 'DIGEST' },
  format: plain('f'),
  mfa: { short: 'm', form: 'FLAG' },
  operation: plain('on'),
  operationHash: { short: 'oh', form: 'DIGEST' },
  organization: plain('or'),
  part: plain('pt'),
  parts: plain('ps'),
  patient: plain('p'),
  persisted: { short: 'pe', form: 'FLAG' },
  policy: { short: 'po', form: 'DIGEST' },
  purpose: plain('pu'),
  requestId: plain('q'),
  roles: plain('ro'),
  session: plain('s'),
  sourceIp: plain('ip'),
  study: plain('st'),
  succeeds: plain('su'),
  time: { short: 't', form: 'INSTANT' },
  traceId: plain('tr'),
  user: plain('u'),
  userAgent: plain('ua'),
  userAgentText: plain('ut'),
}

/** Members that are the same for a group of records: one FHIR record on one basis. */
export const HEAD: Readonly<Record<string, Member>> = {
  basis: plain('b'),
  basisId: plain('bi'),
  limits: plain('li'),
  listed: { short: 'ls', form: 'FLAG' },
  origin: plain('og'),
  recordType: plain('rt'),
  since: { short: 'si', form: 'INSTANT' },
}

/**
 * Members of one record. A record that has only a path in the text is that path. Any other member belongs here too, under its own
 * name. `outcome` and `view` share the member `o`.
 */
export const SHAPE: Readonly<Record<string, Member>> = {
  action: { short: 'a', form: 'ACTION' },
  count: plain('n'),
  path: { short: 'p', form: 'PATH' },
  paths: { short: 'ps', form: 'PATH' },
  reason: plain('re'),
  rule: { short: 'ru', form: 'RULE' },
}

/** The member for `outcome` and `view`, with a space between. The text leaves out the most frequent one. */
export const OUTCOME = 'o'
export const MOST_FREQUENT_OUTCOME = 'DISCLOSED FULL'

/** The format of the text. A verifier reports any other number as a format that it does not know. */
export const ITEM_FORMAT = 1
