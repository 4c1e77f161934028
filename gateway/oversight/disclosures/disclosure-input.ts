import { BadUserInput } from '../../model/failures.ts'
import { isProtocol } from '../../model/study.ts'
import type { Basis } from './bases.ts'
import { enteredText, enteredTime, optionalText } from './entered-text.ts'
import type { DisclosureContent, StudyContact, StudyDisclosures } from './ledger-entry.ts'

type Optional<Value> = Value | null | undefined

/** The argument `input` of a disclosure as the schema types it. */
export interface DisclosureInput {
  readonly basis: Basis
  readonly date: string
  readonly lastDate?: Optional<string>
  readonly count?: Optional<number>
  readonly recipient: { readonly name: string; readonly address?: Optional<string> }
  readonly description: string
  readonly purpose?: Optional<string>
  readonly requestCopy?: Optional<string>
  readonly protocol?: Optional<string>
}

/** The most disclosures of one entry. */
const MAX_COUNT = 100_000
/** Nothing is accounted for that is older. */
const EARLIEST = Date.UTC(1990, 0, 1)

/**
 * A disclosure as it is kept.
 *
 * @param now milliseconds since the epoch
 * @throws BadUserInput for a text that cannot be kept, a time in the future, a repetition without a last date, and a disclosure
 *   without a purpose or a copy of the request
 */
export function disclosureContent(input: DisclosureInput, now: number): DisclosureContent {
  const { basis } = input
  const at = enteredTime(input.date).from
  const last = given(input.lastDate) ? enteredTime(input.lastDate).from : undefined
  const count = input.count ?? 1
  const purpose = optionalText(input.purpose, 'TEXT')
  const requestCopy = optionalText(input.requestCopy, 'COPY')
  const protocol = input.protocol ?? undefined
  const isRepeated = count > 1
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_COUNT || isRepeated !== (last !== undefined))
    throw new BadUserInput({ detail: `\`count\` is 1 to ${MAX_COUNT}. \`lastDate\` is set exactly if \`count\` is more than 1.` })
  if (at < EARLIEST || at > now || (last !== undefined && (last < at || last > now)))
    throw new BadUserInput({ detail: '`date` is before 1990 or in the future, or `lastDate` is before `date` or in the future.' })
  if ((purpose === undefined) === (requestCopy === undefined))
    throw new BadUserInput({ detail: 'Set exactly one of `purpose` and `requestCopy`.' })
  if (protocol !== undefined && (basis !== 'RESEARCH' || !isProtocol(protocol)))
    throw new BadUserInput({ detail: '`protocol` is set for the basis RESEARCH only, and is the name of a protocol.' })
  const address = optionalText(input.recipient.address, 'ADDRESS')
  return {
    basis,
    at,
    ...(last !== undefined && { last }),
    count,
    recipient: { name: enteredText(input.recipient.name, 'NAME'), ...(address !== undefined && { address }) },
    description: enteredText(input.description, 'TEXT'),
    ...(purpose !== undefined && { purpose }),
    ...(requestCopy !== undefined && { requestCopy }),
    ...(protocol !== undefined && { protocol }),
  }
}

/** The argument `input` of a study as the schema types it. */
export interface StudyInput {
  readonly protocol: string
  readonly standing: StudyDisclosures['standing']
  readonly description: string
  readonly information: string
  readonly from: string
  readonly to?: Optional<string>
  readonly sponsor: StudyContact
  readonly researcher: StudyContact
  readonly individuals: number
  readonly mayIncludeAnyone?: Optional<boolean>
}

/** The facts of a study as they are kept. @throws BadUserInput */
export function studyFacts(input: StudyInput, { now, by }: { readonly now: number; readonly by: string }): StudyDisclosures {
  const { protocol, standing, individuals } = input
  const { from } = enteredTime(input.from)
  const to = given(input.to) ? enteredTime(input.to).end - 1 : undefined
  if (!isProtocol(protocol) || !Number.isSafeInteger(individuals) || individuals < 0)
    throw new BadUserInput({ detail: '`protocol` is no name of a protocol, or `individuals` is no count.' })
  if (to !== undefined && to < from) throw new BadUserInput({ detail: '`to` is before `from`. Exchange them.' })
  return {
    protocol,
    standing,
    description: enteredText(input.description, 'TEXT'),
    information: enteredText(input.information, 'TEXT'),
    from,
    ...(to !== undefined && { to }),
    sponsor: contact(input.sponsor),
    researcher: contact(input.researcher),
    individuals,
    mayIncludeAnyone: input.mayIncludeAnyone === true,
    at: now,
    by,
  }
}

const contact = ({ name, address, phone }: StudyContact): StudyContact => ({
  name: enteredText(name, 'NAME'),
  address: enteredText(address, 'ADDRESS'),
  phone: enteredText(phone, 'NAME'),
})

const given = (text: Optional<string>): text is string => text !== null && text !== undefined
