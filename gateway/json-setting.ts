import * as z from 'zod'

/**
 * Schema of a setting that is JSON in an environment variable. An empty variable is an empty object.
 *
 * @param name name of the variable, for the error message
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
        // the parser's message quotes the text
        context.addIssue(`${name} is not JSON.`)
        return z.NEVER
      }
    })
}
