import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerEvent } from '../../../../gateway/http/lambda-event.ts'
import { type Handler, type HttpApi, startHttpApi } from '../../../../infra/local/api-gateway.ts'
import { explorerRoutes } from '../../../../infra/local/explorer/explorer.ts'
import { menuOf } from '../../../../infra/local/explorer/menu.ts'
import { firstOperationOf } from '../../../../infra/local/tour.ts'
import { DEMO_USERS } from '../../../../infra/local/users.ts'
import { clinic as compiled } from '../../../gateway/decide/clinic-policy.ts'
import { startBrowser } from '../../../harness/browser.ts'
import { type RunningClinic, runClinic } from '../../../harness/running-clinic.ts'

const WAIT_MS = 30_000

let clinic: RunningClinic
let api: HttpApi
let browser: Browser
let page: Page
/** The URLs of all requests of the browser, also of its workers. */
const requested: string[] = []
/** Errors of scripts, and violations of the content security policy. */
const faults: string[] = []

beforeAll(async () => {
  clinic = await runClinic({ riverside: 2, lakeside: 1 })
  const handler: Handler = async (event, context) =>
    await answerEvent((request) => clinic.gateway.handle(request), event, context, Date.now())
  const users = menuOf(DEMO_USERS, compiled.policy, firstOperationOf)
  const explorer = explorerRoutes(handler, { stage: clinic.stack.env.PHI_STAGE, users, compiled, tokens: clinic.stack })
  api = await startHttpApi({ port: 0, routes: { 'POST /graphql': handler, ...explorer } })
  browser = await startBrowser()
  page = await browser.newPage()
  page.context().on('request', (request) => requested.push(request.url()))
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    if (/content security policy/i.test(message.text())) faults.push(message.text())
  })
  // the first request of a browser may bundle the page
  await page.goto(`${api.url}/graphql`, { timeout: WAIT_MS })
  await page
    .locator('.graphiql-query-editor .view-line')
    .first()
    .waitFor({ timeout: 2 * WAIT_MS })
}, 150_000)
afterAll(async () => {
  await browser.close()
  await api.stop()
  await clinic.stop()
})

const plan = () => page.getByRole('complementary', { name: 'Access plan' })
const row = (section: 'Plan' | 'This answer', path: string) =>
  plan().getByRole('region', { name: section, exact: true }).getByRole('listitem').filter({ hasText: path })
const textOf = async (section: 'Plan' | 'This answer', path: string): Promise<string> =>
  await row(section, path).first().innerText({ timeout: WAIT_MS })

async function run(query: string): Promise<void> {
  // the editor closes brackets that a keyboard types, so the text is set at once
  const set =
    "(query) => globalThis.__MONACO.editor.getEditors().find((one) => one.getContainerDomNode().closest('.graphiql-query-editor')).setValue(query)"
  await page.evaluate(`(${set})(${JSON.stringify(query)})`)
  await page.getByRole('button', { name: /^Execute query/ }).click()
}

describe('the explorer in a browser', () => {
  it('shows masked and denied fields of billing with the rules that decide, beside the answer', async () => {
    await page.getByLabel('User').selectOption('billing')
    await run('{ patients(first: 1) { edges { node { id familyName ssn observations { edges { node { id } } } } } } }')
    expect(await textOf('Plan', 'Patient.ssn')).toMatch(/LAST4[^]*◐ masked[^]*Rule Patient\.ssn#1: BILLING, for HPAYMT/)
    expect(await textOf('Plan', 'Patient.observations')).toMatch(/ROLE[^]*✕ denied[^]*Closest rule Patient\.observations#1/)
    expect(await textOf('Plan', 'Patient.familyName')).toMatch(/FULL[^]*✓ granted/)
    expect(await textOf('This answer', 'Patient.observations')).toMatch(/ROLE[^]*✕ denied/)
    expect(await textOf('This answer', 'Patient.ssn')).toMatch(/LAST4[^]*◐ masked/)
    expect(await page.locator('.graphiql-response').innerText()).toMatch(/\*{3}-\*{2}-\d{4}/)
    await row('Plan', 'Patient.ssn').getByText('Rule', { exact: false }).click()
    expect(await textOf('Plan', 'Patient.ssn')).toMatch(/patient\.graphql:\d+\s+@minimumNecessary/)
  })

  it('explains the operation for no patient if the user selects none', async () => {
    await plan().getByLabel('Patient').selectOption({ label: 'any patient' })
    await row('Plan', 'Patient.familyName').getByText('? depends').waitFor({ timeout: WAIT_MS })
    expect(await textOf('Plan', 'Patient.observations')).toMatch(/✕ denied/)
  })

  it('claims another purpose of the role for the next request', async () => {
    await page.getByLabel('User').selectOption('physician')
    await page.getByLabel('Purpose of use').selectOption('ETREAT')
    await run('{ viewer { userId purpose } patients(first: 1) { edges { node { ssn } } } }')
    await page.locator('.graphiql-response').getByText('"ETREAT"').waitFor({ timeout: WAIT_MS })
    expect(await textOf('This answer', 'Patient.ssn')).toMatch(/✕ denied/)
  })

  it('keeps a query that is not an example when the user changes, and shows the example on request', async () => {
    const editor = page.locator('.graphiql-query-editor')
    await page.getByLabel('User').selectOption('nurse')
    expect(await editor.innerText()).toContain('viewer')
    // the answer to the user before does not stay beside the new one
    await expect.poll(async () => await page.locator('.graphiql-response').innerText()).not.toContain('ETREAT')
    expect(await plan().innerText()).toContain('Run an operation')
    await page.getByRole('button', { name: 'Example query' }).click()
    await expect.poll(async () => await editor.innerText()).toContain('valueQuantity')
    await page.getByLabel('User').selectOption('researcher')
    await expect.poll(async () => await editor.innerText()).toContain('postalCode')
  })

  it('lists the machine client without a choice of it', async () => {
    const option = page.getByLabel('User').locator('option[value=acme]')
    expect([await option.isDisabled(), await option.innerText()]).toEqual([true, expect.stringContaining('registered operations')])
  })

  it('reaches the menus by keyboard, before the editor', async () => {
    const focused = []
    await page.evaluate('document.activeElement.blur()')
    await page.getByRole('heading', { name: 'phi-gateway explorer' }).click()
    for (let tabs = 0; tabs < 3; tabs++) {
      await page.keyboard.press('Tab')
      focused.push(
        await page.evaluate(
          'document.activeElement.closest("label")?.firstChild.textContent ?? document.activeElement.textContent',
        ),
      )
    }
    expect(focused).toEqual(['User', 'Purpose of use', 'Example query'])
  })

  it('sends no request to another origin, breaks no rule of its policy, and stores nothing in the browser', async () => {
    expect(requested.filter((url) => url.startsWith(api.url)).length).toBeGreaterThan(10)
    expect(requested.filter((url) => !url.startsWith(`${api.url}/`) && !url.startsWith('data:'))).toEqual([])
    expect(faults).toEqual([])
    expect(await page.evaluate('[localStorage.length, sessionStorage.length, document.cookie]')).toEqual([0, 0, ''])
  })
})
