import { counted } from '../../model/counted.ts'

/** The numbers of an exposure report that the factors state. */
export interface FactorNumbers {
  readonly acquired: number
  readonly masked: number
  readonly attempted: number
  readonly patients: number
  /** Classes of 164.514(b)(2)(i) of acquired values: `(A) NAME`. */
  readonly classes: readonly string[]
  readonly users: number
  readonly clients: number
  readonly addresses: number
  readonly breakGlass: number
}

export interface BreachFactor {
  readonly factor: '(i)' | '(ii)' | '(iii)' | '(iv)'
  readonly text: string
  readonly log: readonly string[]
  readonly notInLog: readonly string[]
}

const number = (value: number): string => value.toLocaleString('en-US')

/**
 * The answer of the log to each factor of a risk assessment, and its limits.
 *
 * @source 45 CFR 164.402(2)(i) to (iv)
 */
export function breachFactors(of: FactorNumbers): readonly BreachFactor[] {
  return [
    {
      factor: '(i)',
      text: 'The nature and extent of the protected health information involved, including the types of identifiers and the likelihood of re-identification',
      log: [
        `${counted(of.acquired, 'field record')} of ${counted(of.patients, 'patient')} ${of.acquired === 1 ? 'was' : 'were'} acquired; ${number(of.masked)} of them in a view that shows less than the value.`,
        of.classes.length === 0
          ? 'No acquired value has a class of 164.514(b)(2)(i).'
          : `Acquired classes of 164.514(b)(2)(i): ${of.classes.join(', ')}.`,
      ],
      notInLog: [
        'The values. Authorized clinical users read the records of a patient at /graphql.',
        'The likelihood of re-identification: it depends on the values and on what else the recipient knows.',
        'How sensitive a record is: the log holds no sensitivity labels.',
      ],
    },
    {
      factor: '(ii)',
      text: 'The unauthorized person who used the protected health information or to whom the disclosure was made',
      log: [
        `${counted(of.users, 'user')} by ${counted(of.clients, 'client')} from ${counted(of.addresses, 'combination')} of address, client and application; break-glass is the basis of ${counted(of.breakGlass, 'record')}.`,
      ],
      notInLog: [
        'Who used an account: the log names the account that signed in, with its session and address.',
        'Whether the person has duties of confidentiality of their own, or passed the information on.',
      ],
    },
    {
      factor: '(iii)',
      text: 'Whether the protected health information was actually acquired or viewed',
      log: [
        `${counted(of.acquired, 'record')} left the gateway, and ${number(of.attempted)} did not: see the outcomes.`,
        'Each answer with a value is in the log: an answer is sent only after its records are stored.',
      ],
      notInLog: [
        'Whether a person looked at an answer that the application received.',
        'Whether an application kept a copy.',
        'Accesses past the gateway: to a source system, a backup or a screen.',
      ],
    },
    {
      factor: '(iv)',
      text: 'The extent to which the risk to the protected health information has been mitigated',
      log: [
        'Denied and failed attempts, and when the last access took place. Later accesses by the same user or session would be here.',
      ],
      notInLog: ['Assurances of the recipient, return or destruction, and what was done about the account.'],
    },
  ]
}
