// The counts of a test run's JSON report on stdout, as "passed failed"; what failed and why on stderr.
import { readFileSync } from "node:fs";

const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const firstLines = (text = "") => text.split("\n").slice(0, 3).join("\n    ");

for (const { name, status, message, assertionResults } of testResults) {
  const failures = assertionResults.filter((test) => test.status === "failed");
  for (const { fullName, failureMessages } of failures)
    console.error(`× ${name}\n  ${fullName}\n    ${firstLines(failureMessages[0])}`);
  if (status === "failed" && failures.length === 0) console.error(`× ${name}\n    ${firstLines(message)}`);
}
console.log(numPassedTests, numFailedTests);
