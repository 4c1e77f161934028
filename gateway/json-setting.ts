import * as z from 'zod'

/**
 * A setting that is JSON in an environment variable; an empty object where there is no text.
 *
 * @param name the variable's, for people who read that it is malformed
 */
export function jsonOf(name: string) {
  return z
    .string()
    .default('')
    .transform((text, context): unknown => {
      if (text.trim() === '') return {}
      try {
        return JSON.parse(text)
      } catch {
        // the parser's own message quotes the text
        context.addIssue(`${name} is not JSON.`)
        return z.NEVER
      }
    })
}
