/** The meaning of an outcome for the question whether information was acquired. Factor (iii) of 45 CFR 164.402(2). */
const MEANINGS: Readonly<Record<string, string>> = {
  DISCLOSED: 'The value left the gateway in an answer to this caller.',
  MASKED: 'A view that shows less than the value left the gateway.',
  DENIED: 'The policy refused. The value was not opened, and the answer does not show it.',
  ABSENT: 'The caller had the right, and the record has no such value. The caller learned that it is absent.',
  ERASED: 'The value was erased before. Nothing can be opened.',
  UNAVAILABLE:
    'The value could not be read, or was opened and did not leave. The log can report more accesses than took place, never fewer.',
  WRITTEN: 'The caller wrote the record. A write shows nothing beyond what the caller sent.',
  REVIEWED: 'A query of the audit log. Its answer has ids, times and fields, and no value.',
}

/** An outcome of a later version of the writer is an attempt, because only two outcomes disclose. */
const UNKNOWN = 'This version of the report does not know the outcome. Look up the records.'

export const meaningOf = (outcome: string): string => MEANINGS[outcome] ?? UNKNOWN
