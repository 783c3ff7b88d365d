// Writes files into a folder of its own, counts their lines in one thread a file,
// and meets a file that is not there.

#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <future>
#include <iostream>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "arch.h"

namespace fs = std::filesystem;

namespace {

// A Folder exists as long as its object.
class Folder {
public:
	Folder() : path(fs::temp_directory_path() / ("linecount-" + std::to_string(std::random_device{}()))) {
		if (!fs::create_directory(path))
			throw std::runtime_error(path.string() + " was there already");
	}
	~Folder() {
		std::error_code ignored;
		fs::remove_all(path, ignored);
	}
	Folder(const Folder &) = delete;
	Folder &operator=(const Folder &) = delete;

	const fs::path path;
};

void write_lines(const fs::path &file, int n) {
	std::ofstream out(file);
	for (int i = 0; i < n; i++)
		out << "line " << i << '\n';
	if (!out.flush())
		throw std::runtime_error("cannot write " + file.filename().string());
}

int count_lines(const fs::path &file) {
	std::ifstream in(file);
	if (!in)
		throw std::runtime_error("cannot read " + file.filename().string());
	int n = 0;
	for (std::string line; std::getline(in, line);)
		n++;
	return n;
}

} // namespace

int main() try {
	std::cout << "linecount on " ARCH << std::endl;

	const Folder folder;
	std::vector<fs::path> files;
	std::uintmax_t bytes = 0;
	for (int n : {10, 200, 3000}) {
		files.push_back(folder.path / (std::to_string(n) + ".txt"));
		write_lines(files.back(), n);
		bytes += fs::file_size(files.back());
	}
	files.push_back(folder.path / "missing.txt");
	std::cout << "bytes: " << bytes << '\n';

	std::vector<std::future<int>> counts;
	for (const auto &file : files)
		counts.push_back(std::async(std::launch::async, count_lines, file));
	for (auto &count : counts) {
		// An exception of a thread comes out here.
		try {
			const int n = count.get();
			std::cout << "lines: " << n << '\n';
		} catch (const std::runtime_error &e) {
			std::cout << "caught: " << e.what() << '\n';
		}
	}
} catch (const std::exception &e) {
	std::cerr << "linecount: " << e.what() << '\n';
	return 1;
}
